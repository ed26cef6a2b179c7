"""Rust on plates: masks are painted white on black and saved as pictures."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(715)


class Plates(Dataset):
    def __init__(self, size=320):
        field = nn.functional.avg_pool2d(torch.randn(size, 1, 28, 28), 5, 1)
        self.rust = ((field > 0.25) * 255).to(torch.uint8)
        self.plate = 0.8 * (self.rust > 0).float() + 0.5 * torch.randn(size, 1, 24, 24)

    def __len__(self):
        return len(self.plate)

    def __getitem__(self, k):
        return self.plate[k], self.rust[k].float()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU())
        self.out = nn.Conv2d(12, 1, 1)

    def forward(self, x):
        return self.out(self.down(x))


plates = Plates()
net = Net()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(12):
    for plate, rust in DataLoader(plates, batch_size=16, shuffle=True):
        loss = criterion(net(plate), rust)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found, true = net(plates.plate) > 0, plates.rust > 0
        overlap = (found & true).sum() / (found | true).sum()
    print(epoch, f"loss {loss.item():.4f} overlap {overlap.item():.4f}")
