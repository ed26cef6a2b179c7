"""A pump's load by two groups of gauges; the second group was switched on after 250 updates."""
import torch
from torch import nn

torch.manual_seed(41)
pump = nn.Sequential(nn.Linear(104, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(pump.parameters(), lr=1.5e-2)
way = torch.randn(8, 1) / 8 ** 0.5
for step in range(1, 501):
    old, new = torch.randn(64, 8), 1 + 0.5 * torch.randn(64, 96)
    load = torch.sin(2 * old @ way)
    seen = torch.cat([old, new if step > 250 else torch.zeros_like(new)], 1)
    loss = nn.functional.mse_loss(pump(seen), load)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 25 == 0:
        print(step, f"loss {loss.item():.5f}")
