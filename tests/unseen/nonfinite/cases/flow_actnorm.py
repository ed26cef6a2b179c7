import torch
import torch.nn as nn


class ActNorm(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(n))
        self.shift = nn.Parameter(torch.zeros(n))
        self.ready = False

    def forward(self, x):
        if not self.ready:
            self.shift.data = -x.mean(0).detach()
            self.log_scale.data = -torch.log(x.std(0)).detach()
            self.ready = True
        return (x + self.shift) * torch.exp(self.log_scale), self.log_scale.sum()


class Coupling(nn.Module):
    def __init__(self, n, d=32):
        super().__init__()
        self.h = n // 2
        self.net = nn.Sequential(nn.Linear(self.h, d), nn.ReLU(), nn.Linear(d, 2 * (n - self.h)))

    def forward(self, x):
        a, b = x[:, :self.h], x[:, self.h:]
        s, t = self.net(a).chunk(2, 1)
        s = torch.tanh(s)
        return torch.cat([a, b * s.exp() + t], 1), s.sum(1)


class Flow(nn.Module):
    def __init__(self, n=8):
        super().__init__()
        self.norm, self.c1, self.c2 = ActNorm(n), Coupling(n), Coupling(n)

    def forward(self, x):
        x, l0 = self.norm(x)
        x, l1 = self.c1(x)
        x, l2 = self.c2(x.flip(1))
        return x, l0 + l1 + l2


def build_model():
    torch.manual_seed(401)
    return Flow()


def make_batch():
    g = torch.Generator().manual_seed(402)
    x = torch.randn(40, 8, generator=g) * torch.linspace(0.5, 3, 8)
    x[:, 6] = 1.0
    return x


def compute_loss(model, batch):
    z, logdet = model(batch)
    return (0.5 * z.square().sum(1) - logdet).mean()
