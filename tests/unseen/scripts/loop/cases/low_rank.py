"""Adapt a frozen net with low-rank corrections; one factor of each starts at zero."""
import torch
from torch import nn

torch.manual_seed(232)


class LowRank(nn.Module):
    def __init__(self, base, rank=6, alpha=12.0):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features ** 0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        self.alpha = alpha / rank

    def forward(self, x):
        return self.base(x) + self.alpha * (x @ self.down.T @ self.up.T)


def task(n, turn):
    x = torch.randn(n, 12)
    return x, (torch.roll(x, turn, 1)[:, 0] * torch.roll(x, turn, 1)[:, 1] + torch.roll(x, turn, 1)[:, 2] > 0).long()


def fit(net, lr, steps, turn):
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=lr)
    for step in range(1, steps + 1):
        x, y = task(96, turn)
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(step, f"{loss.item():.4f}")


net = nn.Sequential(nn.Linear(12, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 2))
fit(net, 5e-3, 150, 0)
for k in (0, 2, 4):
    net[k] = LowRank(net[k])
fit(net, 5e-3, 250, 3)
with torch.no_grad():
    x, y = task(3000, 3)
    print("accuracy on the new task", (net(x).argmax(1) == y).float().mean().item())
