"""A new head on a trained body that is frozen; its batch norms follow the new data."""
import torch
from torch import nn

torch.manual_seed(322)
old, new = torch.randn(8, 20), torch.randn(4, 20) + 1.0


def data(centres, n=64):
    kind = torch.randint(0, len(centres), (n,))
    return centres[kind] + 0.7 * torch.randn(n, 20), kind


def fit(net, optimizer, centres, steps):
    for step in range(steps):
        x, y = data(centres)
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


body = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU())
first = nn.Sequential(body, nn.Linear(64, 8))
print("body", fit(first, torch.optim.Adam(first.parameters(), lr=3e-3), old, 100))

for p in body.parameters():
    p.requires_grad = False
model = nn.Sequential(body, nn.Linear(64, 4))
model.train()
print("head", fit(model, torch.optim.SGD(model[1].parameters(), lr=0.05, momentum=0.9), new, 150))
model.eval()
with torch.no_grad():
    x, y = data(new, 1000)
    print("accuracy", (model(x).argmax(1) == y).float().mean().item())
