"""Denoise short chirps; a slow average of the weights is validated after every epoch."""
import torch
from torch import nn

torch.manual_seed(307)


def chirps(n=48):
    t = torch.linspace(0, 1, 32)
    clean = torch.sin((4 + 12 * torch.rand(n, 1)) * t + 6.3 * torch.rand(n, 1))
    return clean + 0.3 * torch.randn(n, 32), clean


class Average:
    """An exponential average of a model's parameters."""

    def __init__(self, model, decay=0.99):
        self.model, self.decay = model, decay
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}

    def update(self):
        for name, p in self.model.named_parameters():
            self.shadow[name].mul_(self.decay).add_(p.detach(), alpha=1 - self.decay)

    def apply(self):
        for name, p in self.model.named_parameters():
            p.data.copy_(self.shadow[name])


model = nn.Sequential(nn.Linear(32, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 32))
average = Average(model)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
held_out = chirps(200)
for epoch in range(12):
    for _ in range(25):
        noisy, clean = chirps()
        loss = (model(noisy) - clean).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    average.apply()
    with torch.no_grad():
        print(epoch, f"loss {loss.item():.4f} held out {(model(held_out[0]) - held_out[1]).square().mean().item():.4f}")
