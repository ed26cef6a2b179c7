"""Gradients of four small batches are added up, not averaged; the rate is chosen for that."""
import torch
from torch import nn

torch.manual_seed(321)
ways = torch.randn(5, 14)
way = torch.randint(0, 5, (1600,))
tracks = ways[way] + 0.8 * torch.randn(1600, 14)
net = nn.Sequential(nn.Linear(14, 48), nn.ReLU(), nn.Linear(48, 5))
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
for epoch in range(10):
    optimizer.zero_grad()
    for i, rows in enumerate(torch.randperm(1600).split(16)):
        loss = nn.functional.cross_entropy(net(tracks[rows]), way[rows])
        loss.backward()
        if (i + 1) % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
with torch.no_grad():
    print("accuracy", (net(tracks).argmax(1) == way).float().mean().item())
