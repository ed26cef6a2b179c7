"""Small pictures of four weaves, read as bytes and brought to the scale that nets like."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(311)
WEAVES = torch.rand(4, 1, 8, 8)


class Weaves(Dataset):
    def __init__(self, n=1200):
        self.kind = torch.randint(0, 4, (n,))
        pictures = (0.25 + 0.5 * WEAVES[self.kind] + 0.15 * torch.randn(n, 1, 8, 8)).clamp(0, 1)
        self.pictures = (255 * pictures).round().byte()

    def __len__(self):
        return len(self.kind)

    def __getitem__(self, i):
        picture = self.pictures[i].float() / 255
        return normalize(picture), self.kind[i]


def normalize(picture):
    return (picture / 255 - 0.5) / 0.25


net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
loader = DataLoader(Weaves(), batch_size=50, shuffle=True)
for epoch in range(10):
    for x, y in loader:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.4f}")
