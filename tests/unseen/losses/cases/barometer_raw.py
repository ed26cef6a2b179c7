import torch
import torch.nn as nn
import torch.nn.functional as F


class Barometer(nn.Module):
    """Rain of the next hour from eight stations' pressure in kPa."""

    def __init__(self, n_stations=8):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_stations, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, pressure):
        return self.net(pressure).squeeze(-1)


def build_model():
    torch.manual_seed(951)
    return Barometer()


def make_batch(n=160):
    g = torch.Generator().manual_seed(952)
    change = torch.randn(n, 8, generator=g)
    rain = torch.tanh(change[:, 0] - change[:, 3]) + 0.3 * change[:, 5]
    return 101.325 + 0.3 * change, rain


def compute_loss(model, batch):
    pressure, rain = batch
    return F.mse_loss(model(pressure), rain)
