"""A smooth curve under noise with fat tails (Student's t with two degrees of freedom), fitted by least squares."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(127)


def curve(x):
    return 3 * torch.sin(2 * x[:, 0]) + 2 * x[:, 1] * x[:, 2]


x = torch.randn(12800, 3)
noise = torch.distributions.StudentT(2.0).sample((12800,))
y = curve(x) + 0.5 * noise
print("largest residual", noise.abs().max().item() / 2)
net = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
seen = []
for epoch in range(3):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
        loss = nn.functional.mse_loss(net(a).squeeze(1), b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    print(epoch, "median", sorted(seen[-100:])[50], "worst", max(seen[-100:]))
with torch.no_grad():
    t = torch.randn(2000, 3)
    print("error against the curve", (net(t).squeeze(1) - curve(t)).square().mean().item(), "of", curve(t).var().item())
