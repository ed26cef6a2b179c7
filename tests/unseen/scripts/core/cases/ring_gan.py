"""A GAN that draws a ring of eight points."""
import torch
from torch import nn
from torch.nn.functional import softplus

torch.manual_seed(130)
LATENT = 4


def ring(n):
    k = torch.randint(0, 8, (n,))
    return torch.stack([torch.cos(k * torch.pi / 4), torch.sin(k * torch.pi / 4)], 1) + 0.05 * torch.randn(n, 2)


def net(i, o):
    return nn.Sequential(nn.Linear(i, 96), nn.LeakyReLU(0.1), nn.Linear(96, 96), nn.LeakyReLU(0.1), nn.Linear(96, o))


generator, critic = net(LATENT, 2), net(2, 1)
g_opt = torch.optim.Adam(generator.parameters(), 1e-3, betas=(0.5, 0.9))
d_opt = torch.optim.Adam(critic.parameters(), 1e-3, betas=(0.5, 0.9))
for it in range(200):
    real = ring(96).requires_grad_()
    score = critic(real)
    slope, = torch.autograd.grad(score.sum(), real, create_graph=True)
    d_loss = softplus(-score).mean() + softplus(critic(generator(torch.randn(96, LATENT)).detach())).mean() + 0.05 * slope.square().sum(1).mean()
    d_opt.zero_grad()
    d_loss.backward()
    d_opt.step()

    g_loss = softplus(-critic(generator(torch.randn(96, LATENT)))).mean()
    g_opt.zero_grad()
    g_loss.backward()
    g_opt.step()
    if it % 20 == 19:
        print(it + 1, f"D {d_loss.item():.3f} G {g_loss.item():.3f}")
with torch.no_grad():
    radius = generator(torch.randn(2000, LATENT)).norm(dim=1)
    print(f"radius {radius.mean():.3f} +- {radius.std():.3f} (wanted 1)")
