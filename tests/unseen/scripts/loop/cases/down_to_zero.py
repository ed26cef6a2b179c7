"""Warm up, go down in a straight line to a rate of 0, and let the log run a little longer."""
import argparse

import torch
from torch import nn

p = argparse.ArgumentParser()
p.add_argument("--steps", type=int, default=240)
p.add_argument("--warmup", type=int, default=20)
p.add_argument("--planned", type=int, default=225)
a = p.parse_args()
torch.manual_seed(226)
net = nn.Sequential(nn.Linear(6, 48), nn.GELU(), nn.Linear(48, 48), nn.GELU(), nn.Linear(48, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.01)


def rate(t):
    return (t + 1) / a.warmup if t < a.warmup else max(0.0, (a.planned - t) / (a.planned - a.warmup))


scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
for step in range(1, a.steps + 1):
    x = torch.randn(96, 6)
    y = torch.sin(x[:, :1] + x[:, 1:2]) + x[:, 2:3] * x[:, 3:4]
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 20 == 0:
        print(step, f"lr {scheduler.get_last_lr()[0]:.5f} loss {loss.item():.4f}")
