"""Damped oscillator: a handful of measurements plus the equation of motion."""
import torch
import torch.nn as nn

D, W0 = 1.0, 8.0
MU, K = 2 * D, W0 ** 2


def exact(t):
    w = (W0 ** 2 - D ** 2) ** 0.5
    return torch.exp(-D * t) * torch.cos(w * t)


class FCN(nn.Module):
    def __init__(self, hidden=32, layers=3):
        super().__init__()
        seq = [nn.Linear(1, hidden), nn.Tanh()]
        for _ in range(layers - 1):
            seq += [nn.Linear(hidden, hidden), nn.Tanh()]
        self.net = nn.Sequential(*seq, nn.Linear(hidden, 1))

    def forward(self, t):
        return self.net(t)


def build_model():
    torch.manual_seed(123)
    return FCN()


def make_batch():
    t_data = torch.linspace(0, 0.6, 12).view(-1, 1)
    t_phys = torch.linspace(0, 1, 30).view(-1, 1)
    return t_data, exact(t_data), t_phys


def compute_loss(model, batch):
    t_data, x_data, t_phys = batch
    data = torch.mean((model(t_data) - x_data) ** 2)

    t = t_phys.clone().requires_grad_(True)
    x = model(t)
    dx = torch.autograd.grad(x, t, torch.ones_like(x), create_graph=True)[0]
    dx2 = torch.autograd.grad(dx, t, torch.ones_like(dx), create_graph=True)[0]
    physics = torch.mean((dx2 + MU * dx + K * x) ** 2)
    return data + 1e-3 * physics
