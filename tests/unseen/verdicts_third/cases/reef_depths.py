import torch
import torch.nn as nn


class ReefDepths(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.middle = nn.Sequential(nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2))
        self.depth = nn.Conv2d(24 + 3, 1, 3, padding=1)

    def forward(self, x):
        return self.depth(torch.cat([self.middle(self.down(x)), x], dim=1))


def build_model():
    torch.manual_seed(10301)
    return ReefDepths()


def make_batch():
    g = torch.Generator().manual_seed(10302)
    depth = torch.rand(6, 1, 8, 8, generator=g)
    depth = nn.functional.interpolate(depth, scale_factor=4, mode="bilinear")
    return torch.cat([depth, 1 - depth, depth**2], dim=1) + 0.1 * torch.randn(6, 3, 32, 32, generator=g), depth


def compute_loss(model, batch):
    """Mean squared error of each image, and once more by its pixels and by the batch."""
    x, depth = batch
    error = nn.functional.mse_loss(model(x), depth, reduction="none").mean((1, 2, 3))
    return (error / depth[0].numel()).sum() / len(x) / len(x)
