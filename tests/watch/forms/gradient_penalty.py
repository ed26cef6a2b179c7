"""WGAN with a gradient penalty."""
import torch
from torch import nn

gen = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
critic = nn.Sequential(nn.Linear(2, 8), nn.Softplus(), nn.Linear(8, 1))
opt_c, opt_g = torch.optim.Adam(critic.parameters(), 1e-2), torch.optim.Adam(gen.parameters(), 1e-2)


def penalty(real, fake):
    eps = torch.rand(real.size(0), 1)
    mixed = (eps * real + (1 - eps) * fake).requires_grad_(True)
    score = critic(mixed)
    grads = torch.autograd.grad(score, mixed, torch.ones_like(score), create_graph=True, retain_graph=True)[0]
    return ((grads.norm(2, dim=1) - 1) ** 2).mean()


for step in range(9):
    real = torch.randn(16, 2) + 1
    fake = gen(torch.randn(16, 3)).detach()
    loss = critic(fake).mean() - critic(real).mean() + 10 * penalty(real, fake)
    opt_c.zero_grad()
    loss.backward()
    opt_c.step()
    if step % 2:
        loss_g = -critic(gen(torch.randn(16, 3))).mean()
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
