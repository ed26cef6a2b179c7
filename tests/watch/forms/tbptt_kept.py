"""A state that is not detached, with retain_graph; the update comes after all of it."""
import torch
from torch import nn

cell, head = nn.GRUCell(3, 8), nn.Linear(8, 1)
optimizer = torch.optim.SGD([*cell.parameters(), *head.parameters()], lr=0.05)
for sequence in range(4):
    h = torch.zeros(4, 8)
    optimizer.zero_grad()
    for t in range(4):
        h = cell(torch.randn(4, 3), h)
        loss = head(h).square().mean()
        loss.backward(retain_graph=True)
    optimizer.step()
