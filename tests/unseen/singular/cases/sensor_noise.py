"""A forecast with a learned noise for each sensor, started from the data sheet."""
import torch
import torch.nn as nn
import torch.nn.functional as F

DATA_SHEET = [0.5, 0.2, 0.0, 1.0]                 # the third is not given


class Forecast(nn.Module):
    def __init__(self, lags=12, sensors=4):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(lags * sensors, 64), nn.SiLU(), nn.Linear(64, sensors))
        start = torch.tensor(DATA_SHEET)
        self.raw = nn.Parameter(torch.log(torch.expm1(start)))

    def forward(self, x):
        return self.net(x.flatten(1)), F.softplus(self.raw)


def build_model():
    torch.manual_seed(601)
    return Forecast()


def make_batch():
    g = torch.Generator().manual_seed(602)
    x = torch.randn(32, 12, 4, generator=g).cumsum(1) / 3
    return x, x[:, -1] + 0.1 * torch.randn(32, 4, generator=g)


def compute_loss(model, batch):
    x, y = batch
    mean, noise = model(x)
    z = (y - mean) / noise
    return (0.5 * z.square() + torch.log(noise)).mean()
