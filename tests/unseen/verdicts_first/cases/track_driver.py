import torch
import torch.nn as nn
import torch.nn.functional as F


class Actor(nn.Module):
    def __init__(self, obs=23, hidden=64):
        super().__init__()
        self.l1 = nn.Linear(obs, hidden)
        self.l2 = nn.Linear(hidden, hidden)
        self.action = nn.Linear(hidden, 2)

    def forward(self, o):
        o = F.relu(self.l1(o))
        o = F.relu(self.l2(o))
        return torch.tanh(self.action(o))          # steering, pedals


def build_model():
    torch.manual_seed(6)
    return Actor()


def make_batch(n=96):
    """Demonstrations: 19 range finders [mm], speed [m/h], engine [rpm], two track coordinates [mm]."""
    g = torch.Generator().manual_seed(7)
    ranges = 200_000 * torch.rand(n, 19, generator=g)
    speed = 250_000 * torch.rand(n, 1, generator=g)
    rpm = 3_000 + 12_000 * torch.rand(n, 1, generator=g)
    pos = 6_000 * (torch.rand(n, 2, generator=g) - 0.5)
    obs = torch.cat([ranges, speed, rpm, pos], 1)
    steer = (ranges[:, 4] - ranges[:, 14]) / 200_000
    pedal = 1 - 2 * speed[:, 0] / 250_000
    return obs, torch.stack([0.8 * steer, 0.8 * pedal], 1)


def compute_loss(actor, batch):
    obs, demo = batch
    return F.mse_loss(actor(obs), demo)
