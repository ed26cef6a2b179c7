"""Mixed precision with a loss scale that grows every 15 steps: it overflows now and then, and that is how it finds its size."""
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(741)
net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16, growth_interval=15)
true = torch.randn(10)
for step in range(1, 161):
    x = torch.randn(64, 10)
    y = 4 * torch.relu(x @ true)
    with torch.autocast("cpu", dtype=torch.float16):
        out = net(x).squeeze(-1)
    loss = F.mse_loss(out.float(), y)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    scaler.step(optimizer)
    scaler.update()
    if step % 20 == 0:
        print(step, f"{loss.item():.4f}", scaler.get_scale())
