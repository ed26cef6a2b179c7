"""Shapes of leaves, as a small diffusion model."""
import torch
from torch import nn

torch.manual_seed(713)
angle = 6.283 * torch.rand(3000, 1)
leaves = torch.cat([torch.cos(k * angle + 0.3 * k) / k**0.5 for k in range(1, 13)], 1)
steps = 100
beta = torch.linspace(1e-4, 0.04, steps)
kept = torch.cumprod(1 - beta, 0)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.Embedding(steps, 32)
        self.net = nn.Sequential(nn.Linear(12 + 32, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 12))

    def forward(self, x, t):
        return self.net(torch.cat((x, self.time(t)), 1))


def diffuse(x, t):
    noise = torch.randn_like(x)
    share = kept[t][:, None]
    return share.sqrt() * x + (1 - share).sqrt() * noise


model = Denoiser()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(10):
    for rows in torch.randperm(3000).split(75):
        x = leaves[rows]
        t = torch.randint(0, steps, (len(x),))
        noise = torch.randn_like(x)
        noisy = diffuse(x, t)
        loss = nn.functional.mse_loss(model(noisy, t), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.4f}")
