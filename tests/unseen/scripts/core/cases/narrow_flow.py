"""Density of points on a thin curved sheet, by a flow of coupling layers: log-likelihoods above zero, so a loss below."""
import torch
from torch import nn

torch.manual_seed(132)


class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 2))

    def forward(self, x):
        a, b = x.split(1, 1) if not self.flip else x.flip(1).split(1, 1)
        log_scale, shift = self.net(a).split(1, 1)
        b = (b - shift) * torch.exp(log_scale)
        out = torch.cat([a, b], 1)
        return (out.flip(1) if self.flip else out), log_scale.squeeze(1)


class Flow(nn.Module):
    def __init__(self, depth=4):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(k % 2 == 1) for k in range(depth))

    def forward(self, x):
        log_det = 0
        for layer in self.layers:
            x, d = layer(x)
            log_det = log_det + d
        return x, log_det


def sheet(n=128):
    u = torch.randn(n, 1) * 0.5
    return torch.cat([u, u ** 2 - 0.3 + 0.05 * torch.randn(n, 1)], 1)


flow = Flow()
optimizer = torch.optim.Adam(flow.parameters(), lr=2e-3)
for step in range(1, 301):
    z, log_det = flow(sheet())
    loss = (0.5 * z.square().sum(1) + 1.8379 - log_det).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    optimizer.step()
    if step % 30 == 0:
        print(step, f"negative log-likelihood {loss.item():.3f}")
