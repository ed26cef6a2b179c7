"""Value of places on a line by temporal differences, with a slow copy of the net for the targets."""
import copy

import torch
from torch import nn
from torch.nn.functional import smooth_l1_loss

torch.manual_seed(224)
GAMMA, TAU = 0.8, 0.05


def moves(n=64):
    place = 2 * torch.rand(n, 1) - 1
    then = (place + 0.2 * torch.randn(n, 1)).clamp(-1, 1)
    return place, torch.cos(2 * then), then


value = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
slow = copy.deepcopy(value)
optimizer = torch.optim.Adam(value.parameters(), lr=3e-3)
for step in range(1, 301):
    place, reward, then = moves()
    with torch.no_grad():
        goal = reward + GAMMA * slow(then)
    loss = smooth_l1_loss(value(place), goal)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for s, p in zip(slow.parameters(), value.parameters()):
            s.lerp_(p, TAU)
    if step % 30 == 0:
        print(step, f"loss {loss.item():.4f} value in the middle {value(torch.zeros(1, 1)).item():.2f}")
with torch.no_grad():
    place = torch.linspace(-0.9, 0.9, 19)[:, None]
    walk, total = place.repeat(1, 4000), torch.zeros(19)
    for t in range(30):
        walk = (walk + 0.2 * torch.randn_like(walk)).clamp(-1, 1)
        total += GAMMA ** t * torch.cos(2 * walk).mean(1)
    print("error against simulated values", (value(place).squeeze(1) - total).abs().mean().item(), "spread", total.std().item())
