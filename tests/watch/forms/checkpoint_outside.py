"""Checkpointing by the script itself, around modules."""
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

first, block, last = nn.Linear(4, 8), nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.2), nn.Tanh()), nn.Linear(8, 1)
optimizer = torch.optim.SGD([*first.parameters(), *block.parameters(), *last.parameters()], lr=0.1)
for step in range(7):
    h = checkpoint(block, first(torch.randn(8, 4)), use_reentrant=step % 2 == 0)
    loss = last(h).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
