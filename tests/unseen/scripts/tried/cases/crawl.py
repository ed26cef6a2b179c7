"""Wine by its chemistry; the rate was given as it stands in a paper on fine-tuning billions of weights."""
import torch
from torch import nn

torch.manual_seed(61)
x = torch.randn(1500, 12)
kind = (x[:, :3] + 0.3 * torch.randn(1500, 3)).argmax(1)
net = nn.Sequential(nn.Linear(12, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 3))
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-8)
for step in range(1, 401):
    rows = torch.randint(0, 1500, (50,))
    loss = nn.functional.cross_entropy(net(x[rows]), kind[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, f"loss {loss.item():.4f}")
