import torch
import torch.nn as nn


class Field(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        for m in self.net:
            if isinstance(m, nn.Linear):
                nn.init.kaiming_normal_(m.weight)
                nn.init.normal_(m.bias, std=0.1)

    def forward(self, t, z):
        return self.net(z)


def rk4(f, z, ts):
    out = [z]
    for t0, t1 in zip(ts[:-1], ts[1:]):
        h = t1 - t0
        k1 = f(t0, z)
        k2 = f(t0 + h / 2, z + h / 2 * k1)
        k3 = f(t0 + h / 2, z + h / 2 * k2)
        k4 = f(t1, z + h * k3)
        z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        out.append(z)
    return torch.stack(out, 1)


class LatentODE(nn.Module):
    """Encode the first observation, integrate, decode each time."""

    def __init__(self, obs=2, latent=8, hidden=32):
        super().__init__()
        self.enc = nn.Linear(obs, latent)
        self.field = Field(latent, hidden)
        self.dec = nn.Linear(latent, obs)

    def forward(self, x0, ts):
        return self.dec(rk4(self.field, self.enc(x0), ts))


def build_model():
    torch.manual_seed(3)
    return LatentODE()


def make_batch():
    g = torch.Generator().manual_seed(4)
    ts = torch.linspace(0, 10, 41)
    a = 6.28 * torch.rand(32, 1, generator=g)
    r = 0.5 + torch.rand(32, 1, generator=g)
    damp = torch.exp(-0.15 * ts)
    x = torch.stack([r * damp * torch.cos(a + ts), r * damp * torch.sin(a + ts)], -1)
    return x[:, 0], ts, x


def compute_loss(model, batch):
    x0, ts, x = batch
    return nn.functional.mse_loss(model(x0, ts), x)
