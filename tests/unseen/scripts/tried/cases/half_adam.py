"""A net kept in float16 whole, to fit into memory, with Adam as it comes."""
import torch
from torch import nn

torch.manual_seed(31)
x = torch.randn(512, 16)
y = torch.tanh(x[:, :1] - 0.5 * x[:, 1:2] * x[:, 2:3])
net = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 1)).half()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(1, 201):
    rows = torch.randint(0, 512, (64,))
    loss = (net(x[rows].half()).float() - y[rows]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        print(step, f"loss {loss.item():.4f}")
