import torch
import torch.nn as nn
import torch.nn.functional as F


class PositiveLinear(nn.Module):
    """Demand may only rise with these inputs, so the weights are kept at or above zero."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(n_out, n_in) / n_in ** 0.5)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        with torch.no_grad():
            self.weight.clamp_(min=0.0)
        return F.linear(x, self.weight, self.bias)


class PriceResponse(nn.Module):
    def __init__(self, n_in=5, hidden=32):
        super().__init__()
        self.lift = PositiveLinear(n_in, hidden)
        self.blend = PositiveLinear(hidden, hidden)
        self.out = PositiveLinear(hidden, 1)

    def forward(self, x):
        h = torch.tanh(self.lift(x))
        h = torch.tanh(self.blend(h))
        return self.out(h).squeeze(-1)


def build_model():
    torch.manual_seed(415)
    return PriceResponse()


def make_batch(n=256):
    g = torch.Generator().manual_seed(416)
    x = torch.rand(n, 5, generator=g) * 2 - 1
    y = 0.8 * torch.tanh(2 * x[:, 0]) + 0.5 * x[:, 1] + 0.02 * torch.randn(n, generator=g)
    return x, y


def compute_loss(model, batch):
    x, y = batch
    return F.mse_loss(model(x), y)
