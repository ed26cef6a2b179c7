"""Leaf species from measurements; mixed precision is optional, and off on this machine."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(301)
USE_AMP = False
centres = 1.5 * torch.randn(5, 12)
species = torch.randint(0, 5, (1600,))
leaves = centres[species] + torch.randn(1600, 12)
loader = DataLoader(TensorDataset(leaves, species), batch_size=40, shuffle=True)

net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 5))
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
scaler = torch.amp.GradScaler("cpu", enabled=USE_AMP)


def epoch():
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cpu", enabled=USE_AMP):
            loss = nn.functional.cross_entropy(net(x), y)
        if USE_AMP:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
        total += loss.item()
    return total / len(loader)


for number in range(5):
    print(number, f"{epoch():.4f}")
