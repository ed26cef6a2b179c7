"""The generators first, then the discriminators on what the generators made before their update; weights frozen in turn."""
import itertools

import torch
from torch import nn

ab, ba = nn.Linear(3, 3), nn.Linear(3, 3)
da, db = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), nn.Sequential(nn.Linear(3, 1))
opt_g = torch.optim.Adam(itertools.chain(ab.parameters(), ba.parameters()), 1e-2)
opt_d = torch.optim.Adam(itertools.chain(da.parameters(), db.parameters()), 1e-2)


def learning(flag):
    for p in itertools.chain(da.parameters(), db.parameters()):
        p.requires_grad = flag


for step in range(8):
    a, b = torch.randn(8, 3), torch.randn(8, 3) + 1
    fake_b, fake_a = ab(a), ba(b)
    learning(False)
    opt_g.zero_grad()
    loss_g = (da(fake_a) - 1).square().mean() + (db(fake_b) - 1).square().mean() + (ba(fake_b) - a).abs().mean()
    loss_g.backward()
    opt_g.step()
    learning(True)
    opt_d.zero_grad()
    for net, real, fake in ((da, a, fake_a), (db, b, fake_b)):
        loss_d = (net(real) - 1).square().mean() + net(fake.detach()).square().mean()
        loss_d.backward()
    opt_d.step()
