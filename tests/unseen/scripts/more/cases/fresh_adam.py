"""Salinity of an estuary; the optimiser is made where it is used."""
import torch
from torch import nn

torch.manual_seed(306)
points = torch.rand(1500, 3)
salt = (torch.sin(5 * points[:, :1]) * points[:, 1:2] + points[:, 2:] ** 2) + 0.02 * torch.randn(1500, 1)


def train_step(model, x, y, lr=0.02):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


model = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
for step in range(1, 301):
    rows = torch.randint(0, 1500, (64,))
    loss = train_step(model, points[rows], salt[rows])
    if step % 50 == 0:
        print(step, f"{loss:.4f}")
