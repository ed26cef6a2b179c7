"""Snapshot ensemble: cosine cycles by hand, one copy of the net at the end of each, votes at the end."""
import copy
import math

import torch
from torch import nn

torch.manual_seed(123)
CYCLE, CYCLES, TOP = 70, 5, 0.3


def chess(n):
    x = 4 * torch.rand(n, 2)
    return x - 2, (x.floor().sum(1) % 2).long()


def set_lr(optimizer, step):
    lr = TOP / 2 * (math.cos(math.pi * (step % CYCLE) / CYCLE) + 1)
    for group in optimizer.param_groups:
        group["lr"] = lr


net = nn.Sequential(nn.Linear(2, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=TOP, momentum=0.9, weight_decay=1e-4)
snapshots = []
test_x, test_y = chess(2000)
for step in range(CYCLE * CYCLES):
    set_lr(optimizer, step)
    x, y = chess(128)
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % CYCLE == CYCLE - 1:
        snapshots.append(copy.deepcopy(net).eval())
        with torch.no_grad():
            print(step, f"loss {loss.item():.3f}", "alone", (net(test_x).argmax(1) == test_y).float().mean().item())
with torch.no_grad():
    votes = sum(s(test_x).softmax(1) for s in snapshots)
print("together", (votes.argmax(1) == test_y).float().mean().item())
