import torch
import torch.nn as nn


class LinearSEM(nn.Module):
    """Which variable drives which."""

    def __init__(self, n=18):
        super().__init__()
        self.w = nn.Parameter(torch.randn(n, n) * 2.5)

    def forward(self, x):
        return x @ self.w

    def acyclicity(self):
        return torch.trace(torch.linalg.matrix_exp(self.w * self.w)) - len(self.w)


def build_model():
    torch.manual_seed(471)
    return LinearSEM()


def make_batch():
    return torch.randn(30, 18, generator=torch.Generator().manual_seed(472))


def compute_loss(model, batch):
    fit = 0.5 * (model(batch) - batch).square().sum() / len(batch)
    h = model.acyclicity()
    return fit + 0.01 * model.w.abs().sum() + 0.5 * h * h
