"""Gradients of four micro-batches, clipped."""
import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(), nn.Linear(8, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
for step in range(24):
    x = torch.randn(8, 4)
    loss = nn.functional.mse_loss(net(x), x[:, :1]) / 4
    loss.backward()
    if step % 4 == 3:
        nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimizer.step()
        optimizer.zero_grad()
