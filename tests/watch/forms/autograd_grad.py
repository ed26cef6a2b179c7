"""Gradients by torch.autograd.grad, and an update by hand."""
import torch
from torch import nn

net = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1))
for step in range(8):
    x = torch.randn(16, 3)
    loss = (net(x) - x.sum(1, keepdim=True)).pow(2).mean()
    grads = torch.autograd.grad(loss, net.parameters())
    with torch.no_grad():
        for p, g in zip(net.parameters(), grads):
            p -= 0.1 * g
