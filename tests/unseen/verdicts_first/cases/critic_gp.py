import torch
from torch import nn

LAMBDA = 10.0


class Critic(nn.Module):
    def __init__(self, size=64, hidden=64):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(size, hidden), nn.LeakyReLU(0.2),
            nn.Linear(hidden, hidden), nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1),
        )
        for m in self.net:
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0.0, 0.25)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.net(x).squeeze(1)


def build_model():
    torch.manual_seed(230)
    return Critic()


def make_batch(n=64):
    g = torch.Generator().manual_seed(231)
    t = torch.linspace(0, 12.56, 64)
    phase = 6.28 * torch.rand(n, 1, generator=g)
    real = torch.sin(t + phase) + 0.05 * torch.randn(n, 64, generator=g)
    fake = torch.tanh(torch.randn(n, 64, generator=g) + 0.5)
    mix = torch.rand(n, 1, generator=g)
    return real, fake, mix


def gradient_penalty(critic, real, fake, mix):
    x = (mix * real + (1 - mix) * fake).requires_grad_(True)
    g, = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return ((g.norm(dim=1) - 1) ** 2).mean()


def compute_loss(critic, batch):
    real, fake, mix = batch
    return critic(fake).mean() - critic(real).mean() + LAMBDA * gradient_penalty(critic, real, fake, mix)
