"""Pretrain on one task, put a new head on, train the head alone, then thaw the body at a smaller rate."""
import torch
from torch import nn

torch.manual_seed(125)
MIX = torch.randn(10, 10) / 3


def data(n, task):
    x = torch.randn(n, 10)
    z = torch.tanh(x @ MIX)
    score = z[:, 0] * z[:, 1] + z[:, 2] if task == "old" else z[:, 0] * z[:, 1] - z[:, 3] * z[:, 4] + 0.5 * z[:, 5]
    return x, (score > 0).long()


def fit(net, optimizer, steps, task, name):
    for step in range(steps):
        x, y = data(64, task)
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(name, f"loss {loss.item():.3f}")


body = nn.Sequential(nn.Linear(10, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU())
net = nn.Sequential(body, nn.Linear(48, 2))
fit(net, torch.optim.Adam(net.parameters(), lr=3e-3), 150, "old", "pretraining")

net[1] = nn.Linear(48, 2)
body.requires_grad_(False)
optimizer = torch.optim.Adam(net[1].parameters(), lr=5e-3)
fit(net, optimizer, 80, "new", "head alone ")

body.requires_grad_(True)
optimizer.add_param_group({"params": body.parameters(), "lr": 2e-3})
fit(net, optimizer, 170, "new", "thawed     ")
with torch.no_grad():
    x, y = data(2000, "new")
    print("accuracy", (net(x).argmax(1) == y).float().mean().item())
