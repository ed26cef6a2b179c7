import torch
import torch.nn as nn
import torch.nn.functional as F


class Critic(nn.Module):
    def __init__(self, n=24, d=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n, d), nn.LeakyReLU(0.2), nn.Linear(d, d), nn.LeakyReLU(0.2))
        self.out = nn.Linear(d, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x):
        return self.out(self.body(x)).squeeze(-1)


def slope_penalty(critic, real, fake, mix):
    x = (mix * real + (1 - mix) * fake).requires_grad_(True)
    grad = torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0]
    slope = torch.sqrt(grad.square().sum(1))
    return (slope - 1).square().mean()


def build_model():
    torch.manual_seed(21)
    return Critic()


def make_batch():
    g = torch.Generator().manual_seed(22)
    return torch.randn(16, 24, generator=g), torch.randn(16, 24, generator=g) + 1, torch.rand(16, 1, generator=g)


def compute_loss(model, batch):
    real, fake, mix = batch
    return model(fake).mean() - model(real).mean() + 10 * slope_penalty(model, real, fake, mix)
