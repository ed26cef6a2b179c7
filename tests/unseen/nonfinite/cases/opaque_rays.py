import torch
import torch.nn as nn
import torch.nn.functional as F


class RayNet(nn.Module):
    def __init__(self, n=9, d=32):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n, d), nn.ReLU(), nn.Linear(d, d), nn.ReLU(), nn.Linear(d, 4))

    def forward(self, samples):
        raw = self.net(samples)
        alpha = (0.4 + raw[..., 3]).clamp(0.0, 1.0)
        return torch.sigmoid(raw[..., :3]), alpha


def composite(rgb, alpha):
    ones = torch.ones_like(alpha[:, :1])
    through = torch.cumprod(torch.cat([ones, 1 - alpha], 1), 1)[:, :-1]
    return ((through * alpha).unsqueeze(-1) * rgb).sum(1)


def build_model():
    torch.manual_seed(511)
    return RayNet()


def make_batch():
    g = torch.Generator().manual_seed(512)
    return torch.randn(24, 12, 9, generator=g) * 3, torch.rand(24, 3, generator=g)


def compute_loss(model, batch):
    samples, pixel = batch
    return F.mse_loss(composite(*model(samples)), pixel)
