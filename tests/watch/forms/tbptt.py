"""Truncated backpropagation through time: the state is detached."""
import torch
from torch import nn

rnn, head = nn.RNN(3, 8), nn.Linear(8, 1)
optimizer = torch.optim.SGD([*rnn.parameters(), *head.parameters()], lr=0.05)
h = torch.zeros(1, 4, 8)
for step in range(9):
    x = torch.randn(5, 4, 3)
    h = h.detach()
    out, h = rnn(x, h)
    loss = head(out).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
