import torch
import torch.nn as nn


class SoftArgmax2d(nn.Module):
    def __init__(self, h, w, alpha=10000.0):
        super().__init__()
        self.alpha = alpha
        ys, xs = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
        self.register_buffer("grid", torch.stack([xs, ys], -1).view(-1, 2))

    def forward(self, heat):
        p = torch.softmax(self.alpha * heat.flatten(2), dim=-1)
        return p @ self.grid


class HandNet(nn.Module):
    def __init__(self, joints=4):
        super().__init__()
        self.enc = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, joints, 1), nn.BatchNorm2d(joints),
        )
        self.argmax = SoftArgmax2d(20, 20)

    def forward(self, x):
        return self.argmax(self.enc(x))


def build_model():
    torch.manual_seed(3)
    return HandNet()


def make_batch():
    """Four blobs of different sharpness; the network returns where each of them is (0 .. 1)."""
    g = torch.Generator().manual_seed(4)
    where = 0.15 + 0.7 * torch.rand(32, 4, 2, generator=g)
    t = torch.linspace(0, 1, 20)
    img = torch.zeros(32, 20, 20)
    for j, (s, a) in enumerate([(0.04, 1.0), (0.08, -1.0), (0.13, 1.0), (0.05, 2.0)]):
        dx = (t[None, None, :] - where[:, j, 0, None, None]) ** 2
        dy = (t[None, :, None] - where[:, j, 1, None, None]) ** 2
        img += a * torch.exp(-(dx + dy) / (2 * s * s))
    return img[:, None] + 0.05 * torch.randn(32, 1, 20, 20, generator=g), where


def loss(pred, target):
    return ((pred - target) ** 2).mean()
