import torch
import torch.nn as nn


class GlyphGAN(nn.Module):
    """Generator and a discriminator that has been trained ahead of it; this is the generator's step."""

    def __init__(self, z=16, n_out=64):
        super().__init__()
        self.gen = nn.Sequential(nn.Linear(z, 64), nn.ReLU(), nn.Linear(64, n_out), nn.Tanh())
        self.disc = nn.Sequential(nn.Linear(n_out, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Sigmoid())


def glyphs(n, g):
    base = torch.sign(torch.randn(4, 64, generator=torch.Generator().manual_seed(923)))
    return 0.9 * base[torch.randint(0, 4, (n,), generator=g)] + 0.02 * torch.randn(n, 64, generator=g)


def build_model():
    torch.manual_seed(921)
    model = GlyphGAN()
    g = torch.Generator().manual_seed(924)
    opt = torch.optim.Adam(model.disc.parameters(), 3e-2)
    for _ in range(600):
        fake = model.gen(torch.randn(64, 16, generator=g)).detach()
        p, q = model.disc(glyphs(64, g)), model.disc(fake)
        loss = -(p.clamp_min(1e-7).log().mean() + (1 - q).clamp_min(1e-7).log().mean())
        opt.zero_grad()
        loss.backward()
        opt.step()
    model.disc.requires_grad_(False)
    return model


def make_batch(n=64):
    return torch.randn(n, 16, generator=torch.Generator().manual_seed(922))


def compute_loss(model, z):
    return torch.log(1 - model.disc(model.gen(z)) + 1e-8).mean()
