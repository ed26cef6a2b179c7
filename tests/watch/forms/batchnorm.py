"""BatchNorm, called twice before the backward pass, with an evaluation in between."""
import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(9):
    a, b = torch.randn(16, 4), torch.randn(16, 4)
    loss = net(a).square().mean() + net(b).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    net.eval()
    with torch.no_grad():
        print(net(a).mean().item())
    net.train()
