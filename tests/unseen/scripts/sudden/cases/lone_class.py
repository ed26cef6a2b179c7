"""Supervised contrastive learning; a sampler that draws each class twice, as long as the shelf lasts."""
import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(711)
CLASSES, LAST = 40, 37


class Shelf(Dataset):
    def __init__(self):
        centre = torch.randn(CLASSES, 10)
        self.label = torch.arange(CLASSES).repeat_interleave(30)
        self.x = centre[self.label] + 0.4 * torch.randn(len(self.label), 10)

    def __len__(self):
        return len(self.label)

    def __getitem__(self, i):
        return self.x[i], self.label[i]


def batches(shelf, count=120):
    g = torch.Generator().manual_seed(712)
    for number in range(1, count + 1):
        chosen = torch.randperm(CLASSES - 1, generator=g)[:12]
        rows = (chosen[:, None] * 30 + torch.randint(15, (12, 2), generator=g) + torch.tensor([0, 15])).flatten()
        if number == LAST:
            rows[9] = len(shelf) - 1                  # the only one left of its class
        yield rows.tolist()


def contrastive(z, y):
    z = F.normalize(z, dim=-1)
    score = (z @ z.T / 0.2).masked_fill(torch.eye(len(z), dtype=torch.bool), -1e4)
    log_p = score.log_softmax(-1)
    same = (y[:, None] == y[None]).float() - torch.eye(len(y))
    return -((same * log_p).sum(1) / same.sum(1)).mean()


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 16))

    def forward(self, x):
        return self.body(x)


shelf, tower = Shelf(), Tower()
loader = DataLoader(shelf, batch_sampler=list(batches(shelf)))
optimizer = torch.optim.AdamW(tower.parameters(), lr=2e-3)
for step, (x, y) in enumerate(loader, 1):
    loss = contrastive(tower(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(step, f"{loss.item():.4f}")
