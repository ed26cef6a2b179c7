"""A conditional GAN: the reading of an instrument given the setting of its knob."""
import torch
from torch import nn

torch.manual_seed(105)


def readings(it, n=32):
    knob = 2 * torch.rand(n, 1) - 1
    if it == 44:
        knob[13] = 4000.0                    # a counter that was not reset
    value = torch.sin(3 * knob.clamp(-1, 1)) + 0.1 * torch.randn(n, 1)
    return knob, value


def mlp(i, o, *last):
    return nn.Sequential(nn.Linear(i, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, o), *last)


G, D = mlp(3, 1), mlp(2, 1, nn.Sigmoid())
opt_g = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.99))
opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.99))
for it in range(1, 151):
    knob, value = readings(it)
    fake = G(torch.cat([knob, torch.randn(len(knob), 2)], 1))

    p_real = D(torch.cat([knob, value], 1))
    p_fake = D(torch.cat([knob, fake.detach()], 1))
    d_loss = -(torch.log(p_real) + torch.log(1 - p_fake)).mean()
    opt_d.zero_grad()
    d_loss.backward()
    opt_d.step()

    g_loss = -torch.nn.functional.logsigmoid(D[:-1](torch.cat([knob, fake], 1))).mean()
    opt_g.zero_grad()
    g_loss.backward()
    opt_g.step()
    if it % 15 == 0:
        print(f"{it:4d}  D {d_loss.item():.3f}  G {g_loss.item():.3f}")
