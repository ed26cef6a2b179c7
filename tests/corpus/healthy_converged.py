"""Healthy because finished: models at their optimum, where every gradient is small."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.corpus.case import healthy
from tests.corpus.toys import blobs, classify, fit, mlp, pictures, regress, surface, waves
from tests.corpus.trained import relearns


@healthy(field="tabular", tricky="trained: the loss is 1e-6 and gradients follow", proof=relearns())
def converged_classifier():
    """A ReLU classifier after training on its batch."""
    batch = blobs()
    return fit(mlp(16, 32, 32, 4), batch, classify, 150), batch, classify


@healthy(field="tabular", tricky="interpolation: loss near 1e-5 and falling, small gradients", proof=relearns())
def converged_interpolating_regression():
    """More parameters than rows: the net passes through every point."""
    batch = surface(24, noise=0.0)
    model = fit(mlp(8, 64, 64, 1, act=nn.Tanh), batch, regress, 200, 1e-2)
    return fit(model, batch, regress, 200, 1e-3), batch, regress


@healthy(
    field="tabular",
    tricky="noise floor: the loss is 1, every gradient is 0 to rounding",
    proof=relearns(),
)
def converged_least_squares_noise_floor():
    """Linear regression at its closed-form optimum; what is left is noise of variance 1."""
    x = torch.randn(256, 8)
    y = x @ torch.randn(8, 1) + torch.randn(256, 1)
    model = nn.Linear(8, 1)
    solution = torch.linalg.lstsq(torch.cat([x, torch.ones(256, 1)], 1).double(), y.double()).solution.float()
    with torch.no_grad():
        model.weight.copy_(solution[:-1].T)
        model.bias.copy_(solution[-1])
    return model, (x, y), regress


@healthy(field="vision", tricky="trained CNN: softmax saturated on the right class", proof=relearns(2.0))
def converged_cnn():
    """A CNN with GroupNorm after training on its batch."""
    batch = pictures(16, 3, 12)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.GroupNorm(4, 16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 4),
    )  # fmt: skip
    return fit(model, batch, classify, 40), batch, classify


@healthy(
    field="timeseries",
    tricky="trained: what is left is the first step, which nothing predicts",
    proof=relearns(),
)
def converged_gru_forecaster():
    """One-step-ahead forecasts of noiseless waves, after training."""

    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)

        def forward(self, x):
            return self.out(self.rnn(x)[0])

    x, _ = waves(8, 21)
    batch = (x[:, :-1], x[:, 1:])
    return fit(Forecaster(), batch, regress, 100), batch, regress


@healthy(
    field="tabular",
    tricky="half-noise labels: at the optimum the loss is near chance and flat",
    proof=relearns(),
)
def converged_logistic_weak_signal():
    """Logistic regression on labels that features explain only in part, fitted to the optimum."""
    x = torch.randn(512, 6)
    y = (x[:, :1] + 1.5 * torch.randn(512, 1) > 0).float()
    batch, model = (x, y), nn.Linear(6, 1)

    def step(model, batch):
        return F.binary_cross_entropy_with_logits(model(batch[0]), batch[1])

    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = step(model, batch)
        loss.backward()
        return loss

    optimiser.step(closure)
    optimiser.zero_grad(set_to_none=True)
    return model, batch, step


@healthy(
    field="generative",
    tricky="a trained autoencoder: loss 1e-12, its gradient below rounding of the weights",
    proof=relearns(),
)
def converged_linear_autoencoder():
    """A bottleneck of three for data of rank three."""
    x = torch.randn(64, 3) @ torch.randn(3, 20)
    batch = (x, x)
    return fit(mlp(20, 3, 20, act=nn.Identity), batch, regress, 300, 2e-2), batch, regress
