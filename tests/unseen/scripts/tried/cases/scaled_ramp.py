"""Glyphs told apart in mixed precision with a GradScaler; the rate is that of a batch sixteen times as large."""
import torch
from torch import nn

torch.manual_seed(51)
centre = torch.randn(8, 32)
net = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 8))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
for step in range(1, 261):
    if step == 101:
        for group in optimizer.param_groups:
            group["lr"] *= 48        # the larger machine
    kind = torch.randint(0, 8, (32,))
    glyph = centre[kind] + 0.8 * torch.randn(32, 32)
    with torch.autocast("cpu", torch.float16):
        loss = nn.functional.cross_entropy(net(glyph), kind)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    if step % 20 == 0:
        print(step, f"loss {loss.item():.4f}")
