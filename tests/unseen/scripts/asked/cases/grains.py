"""Grains of sand in the wind, as a diffusion model with averaged weights; half of the loss is noise that nobody can tell."""
import copy

import torch
from torch import nn

torch.manual_seed(732)
grains = torch.randn(4000, 2) * 0.25 + torch.randn(6, 2)[torch.randint(0, 6, (4000,))]
STEPS = 60
kept = torch.cumprod(1 - torch.linspace(1e-4, 0.08, STEPS), 0)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.Embedding(STEPS, 16)
        self.net = nn.Sequential(nn.Linear(18, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 2))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x, t):
        return self.net(torch.cat((x, self.time(t)), 1))


class Ema:
    def __init__(self, model, decay):
        self.copy, self.decay = copy.deepcopy(model).requires_grad_(False), decay

    @torch.no_grad()
    def update(self, model):
        for slow, fast in zip(self.copy.parameters(), model.parameters()):
            slow.lerp_(fast, 1 - self.decay)


def noised(x):
    t, noise = torch.randint(0, STEPS, (len(x),)), torch.randn_like(x)
    return kept[t, None].sqrt() * x + (1 - kept[t, None]).sqrt() * noise, t, noise


model = Denoiser()
ema = Ema(model, 0.99)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for epoch in range(10):
    for rows in torch.randperm(len(grains)).split(100):
        x, t, noise = noised(grains[rows])
        loss = nn.functional.mse_loss(model(x, t), noise)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        ema.update(model)
    with torch.no_grad():
        x, t, noise = noised(grains)
        print(epoch, f"loss {loss.item():.4f} average {nn.functional.mse_loss(ema.copy(x, t), noise).item():.4f}")
