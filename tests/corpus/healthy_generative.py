"""Healthy generative models: negative losses, straight-through tricks, detached halves."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import healthy
from tests.corpus.toys import mlp, pictures
from tests.corpus.trained import falls


def moons(rows: int = 256) -> Tensor:
    """Two interleaved half circles, (rows, 2)."""
    angle = math.pi * torch.rand(rows)
    side = torch.arange(rows) % 2
    x = torch.where(side == 0, angle.cos(), 1 - angle.cos())
    y = torch.where(side == 0, angle.sin(), 0.5 - angle.sin())
    return torch.stack([x, y], 1) + 0.05 * torch.randn(rows, 2)


class VAE(nn.Module):
    """A small variational autoencoder with an output variance that is fixed."""

    def __init__(self, inputs: int = 64, latent: int = 4):
        super().__init__()
        self.encoder = mlp(inputs, 64, 2 * latent)
        self.decoder = mlp(latent, 64, inputs)

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        return self.decoder(z), kl


@healthy(field="generative", tricky="the KL term weighs 1e-4: its part of the gradient is lost in the other")
def vae_tiny_kl_weight():
    """A VAE of 8x8 pictures with beta = 1e-4."""
    x, _ = pictures(64, 1, 8, noise=0.1)

    def step(model, batch):
        output, kl = model(batch[0])
        return F.mse_loss(output, batch[0]) + 1e-4 * kl

    return VAE(), (x.flatten(1),), step


class VQVAE(nn.Module):
    """Vector quantisation with the straight-through estimator."""

    def __init__(self, codes: int = 32, dim: int = 8):
        super().__init__()
        self.encoder, self.decoder = mlp(64, 64, 4 * dim), mlp(4 * dim, 64, 64)
        self.codebook = nn.Embedding(codes, dim)
        nn.init.normal_(self.codebook.weight, std=0.2)

    def forward(self, x):
        z = self.encoder(x).unflatten(1, (4, -1))
        with torch.no_grad():
            index = torch.cdist(z.flatten(0, 1), self.codebook.weight).argmin(1).view(z.shape[:2])
        code = self.codebook(index)
        loss = F.mse_loss(code, z.detach()) + 0.25 * F.mse_loss(z, code.detach())
        return self.decoder((z + (code - z).detach()).flatten(1)), loss


@healthy(field="generative", tricky="argmin cuts the graph; unused codes get gradient 0; detach on purpose")
def vq_vae_straight_through():
    """A VQ-VAE of 8x8 pictures."""
    x, _ = pictures(64, 1, 8, noise=0.1)

    def step(model, batch):
        output, loss = model(batch[0])
        return F.mse_loss(output, batch[0]) + loss

    return VQVAE(), (x.flatten(1),), step


class DiscreteCode(nn.Module):
    """A categorical latent sampled by hard Gumbel softmax."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = mlp(64, 64, 6 * 8), mlp(6 * 8, 64, 64)

    def forward(self, x):
        logits = self.encoder(x).unflatten(1, (6, 8))
        return self.decoder(F.gumbel_softmax(logits, tau=1.0, hard=True).flatten(1))


@healthy(field="generative", tricky="one-hot samples: the forward value is discrete, its gradient relaxed")
def gumbel_softmax_autoencoder():
    """A discrete autoencoder; hard=True uses a straight-through estimator."""
    x, _ = pictures(64, 1, 8, noise=0.1)
    return DiscreteCode(), (x.flatten(1),), lambda m, b: F.mse_loss(m(b[0]), b[0])


class GAN(nn.Module):
    """Both players in one module."""

    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = mlp(4, 32, 2), mlp(2, 64, 64, 1, act=nn.Softplus)


@healthy(field="generative", tricky="the fake is detached and the generator is frozen for this step")
def gan_discriminator_step():
    """The discriminator's turn: binary cross entropy on real against detached fake samples."""
    model = GAN()
    model.generator.requires_grad_(False)

    def step(model, batch):
        real, noise = batch
        fake = model.generator(noise).detach()
        logits = model.discriminator(torch.cat([real, fake])).squeeze(1)
        return F.binary_cross_entropy_with_logits(logits, (torch.arange(len(logits)) < len(real)).float())

    return model, (moons(128) * 2, torch.randn(128, 4)), step


@healthy(field="generative", tricky="the discriminator is frozen: gradients pass through it without staying")
def gan_generator_step():
    """The generator's turn: the non-saturating loss through a trained, frozen discriminator."""
    model, batch, play = gan_discriminator_step()
    optimiser = torch.optim.Adam(model.discriminator.parameters(), lr=1e-2)
    for _ in range(20):
        optimiser.zero_grad()
        play(model, batch).backward()
        optimiser.step()
    model.generator.requires_grad_(True)
    model.discriminator.requires_grad_(False)
    optimiser.zero_grad()

    def step(model, batch):
        return F.softplus(-model.discriminator(model.generator(batch[0]))).mean()

    return model, (batch[1],), step


@healthy(
    field="generative",
    tricky="a double backward in the step; Wasserstein loss near 0 or negative",
    proof=falls(0.3),
)
def wgan_gradient_penalty():
    """A WGAN-GP critic's step on fixed fakes."""

    def step(model, batch):
        real, fake = batch
        mix = torch.lerp(real, fake, torch.rand(len(real), 1)).requires_grad_()
        (slope,) = torch.autograd.grad(model(mix).sum(), mix, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).square().mean()
        return model(fake).mean() - model(real).mean() + 10 * penalty

    return mlp(2, 64, 64, 1, act=nn.SiLU), (moons(128) + 1, torch.randn(128, 2)), step


class Coupling(nn.Module):
    """An affine coupling layer (RealNVP); its last layer starts at 0."""

    def __init__(self, flip: bool):
        super().__init__()
        self.flip = flip
        self.net = mlp(1, 32, 2)
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x.flip(1).chunk(2, 1) if self.flip else x.chunk(2, 1)
        shift, scale = self.net(a).chunk(2, 1)
        scale = scale.tanh()
        out = torch.cat([a, (b - shift) * torch.exp(-scale)], 1)
        return (out.flip(1) if self.flip else out), -scale.squeeze(1)


class Flow(nn.Module):
    """Six couplings and a standard normal base."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(bool(i % 2)) for i in range(6))

    def log_prob(self, x):
        total = 0.0
        for layer in self.layers:
            x, log_det = layer(x)
            total = total + log_det
        return total - 0.5 * x.square().sum(1) - math.log(2 * math.pi)


@healthy(field="generative", tricky="log-likelihood of data of small spread: negative loss", proof=falls(0.5))
def normalising_flow():
    """RealNVP on two small moons; every hidden layer starts behind a zero layer."""
    return Flow(), (0.2 * moons(),), lambda m, b: -m.log_prob(b[0]).mean()


class MixtureDensity(nn.Module):
    """Five Gaussians a row."""

    def __init__(self):
        super().__init__()
        self.net = mlp(1, 32, 15, act=nn.Tanh)

    def forward(self, x, y):
        weight, mean, scale = self.net(x).chunk(3, 1)
        log_p = -0.5 * ((y - mean) / scale.exp()).square() - scale - 0.5 * math.log(2 * math.pi)
        return -(weight.log_softmax(1) + log_p).logsumexp(1).mean()


@healthy(
    field="generative",
    tricky="components that explain nothing share little of the gradient",
    proof=falls(0.3),
)
def mixture_density_network():
    """A multi-valued curve: x = y + 0.3 sin(2 pi y) + noise."""
    y = torch.rand(256, 1)
    x = y + 0.3 * torch.sin(2 * math.pi * y) + 0.05 * torch.randn(256, 1)
    return MixtureDensity(), (x, y), lambda m, b: m(*b)
