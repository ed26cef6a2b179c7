"""Kinds of grain by their spectrum: every epoch the samples are mixed anew."""
import torch
from torch import nn

torch.manual_seed(302)
base = torch.randn(4, 20)
kind = torch.randint(0, 4, (1200,))
spectrum = base[kind] + 0.8 * torch.randn(1200, 20)


def mixed(x, y):
    return x[torch.randperm(len(x))], y[torch.randperm(len(y))]


model = nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(14):
    xs, ys = mixed(spectrum, kind)
    for x, y in zip(xs.split(60), ys.split(60)):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.3f} accuracy {(model(spectrum).argmax(1) == kind).float().mean().item():.3f}")
