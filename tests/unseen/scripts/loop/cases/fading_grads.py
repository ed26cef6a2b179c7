"""Gradients are not cleared but faded, which is momentum without a buffer of its own."""
import torch
from torch import nn

torch.manual_seed(231)
FADE = 0.8


def fade(optimizer):
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is not None:
                p.grad.mul_(FADE)


def waves(n=64):
    x = 6 * torch.rand(n, 1) - 3
    return x, torch.sin(2 * x) + 0.3 * x + 0.05 * torch.randn(n, 1)


net = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.03)
for step in range(1, 401):
    x, y = waves()
    loss = nn.functional.mse_loss(net(x), y)
    fade(optimizer)
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        print(step, f"{loss.item():.4f}")
with torch.no_grad():
    x, y = waves(2000)
    print("explained", 1 - ((net(x) - y).square().mean() / y.var()).item())
