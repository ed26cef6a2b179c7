"""An optimiser for each parameter that steps inside the backward pass."""
import torch
from torch import nn

net = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1))
optimizers = {p: torch.optim.SGD([p], lr=0.05) for p in net.parameters()}


def hook(p):
    optimizers[p].step()
    optimizers[p].zero_grad()


for p in net.parameters():
    p.register_post_accumulate_grad_hook(hook)
for step in range(6):
    x = torch.randn(16, 3)
    loss = (net(x) - 1).square().mean()
    loss.backward()
