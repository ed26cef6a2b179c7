import torch
import torch.nn as nn


class FixedPoint(nn.Module):
    def __init__(self, width, iters=40):
        super().__init__()
        self.w = nn.Linear(width, width, bias=False)
        self.inject = nn.Linear(width, width)
        self.iters = iters
        with torch.no_grad():
            self.w.weight.mul_(0.9 / torch.linalg.matrix_norm(self.w.weight, 2))

    def cell(self, z, x):
        return torch.tanh(self.w(z) + self.inject(x))

    def forward(self, x):
        with torch.no_grad():
            z = torch.zeros_like(x)
            for _ in range(self.iters):
                z = self.cell(z, x)
        z = self.cell(z, x)
        if z.requires_grad:
            z0 = z.detach().requires_grad_()
            f0 = self.cell(z0, x)

            def solve(g):
                u = g
                for _ in range(self.iters):
                    u = torch.autograd.grad(f0, z0, u, retain_graph=True)[0] + g
                return u

            z.register_hook(solve)
        return z


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift = nn.Linear(6, 40)
        self.eq = FixedPoint(40)
        self.read = nn.Linear(40, 1)

    def forward(self, x):
        return self.read(self.eq(self.lift(x)))


def build_model():
    torch.manual_seed(5223)
    return Net()


def make_batch():
    g = torch.Generator().manual_seed(5224)
    x = torch.randn(200, 6, generator=g)
    return x, torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3].tanh()


def loss(out, target):
    return (out - target).square().mean()
