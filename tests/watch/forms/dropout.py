"""Dropout in the model and after it."""
import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 8))
head = nn.Linear(8, 1)
optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=0.01)
for step in range(8):
    x = torch.randn(16, 4)
    hidden = nn.functional.dropout(net(x), 0.2)
    loss = (head(hidden) - x.sum(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
