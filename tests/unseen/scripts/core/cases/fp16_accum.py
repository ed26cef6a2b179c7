"""Handwritten-like strokes in half precision: four micro-batches an update, unscaled and clipped as the manual says."""
import torch
from torch import nn

torch.manual_seed(121)
TEMPLATES = (torch.randn(8, 1, 12, 12) > 0.8).float()


def batch(n=16):
    y = torch.randint(0, 8, (n,))
    return TEMPLATES[y] + 0.5 * torch.randn(n, 1, 12, 12), y


model = nn.Sequential(nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 25, 64), nn.ReLU(), nn.Linear(64, 8))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24, growth_interval=60)
ACCUMULATE = 4
for update in range(150):
    for micro in range(ACCUMULATE):
        x, y = batch()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = nn.functional.cross_entropy(model(x), y) / ACCUMULATE
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    if update % 15 == 14:
        print(update + 1, f"loss {ACCUMULATE * loss.item():.4f} norm {norm.item():.3g} scale 2^{torch.log2(torch.tensor(scaler.get_scale())).item():.0f}")
model.eval()
with torch.no_grad():
    x, y = batch(1000)
    print("accuracy", (model(x).argmax(1) == y).float().mean().item())
