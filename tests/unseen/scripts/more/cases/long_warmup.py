"""The rate rises from nothing over the whole of a short run."""
import torch
from torch import nn

torch.manual_seed(323)
x = torch.rand(1000, 4)
y = torch.sin(3 * x[:, :1]) + x[:, 1:2] * x[:, 2:3] + 0.02 * torch.randn(1000, 1)
net = nn.Sequential(nn.Linear(4, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
steps = 250
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / steps)
for step in range(steps):
    rows = torch.randint(0, 1000, (50,))
    loss = nn.functional.mse_loss(net(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
with torch.no_grad():
    print("explained", 1 - (nn.functional.mse_loss(net(x), y) / y.var()).item())
