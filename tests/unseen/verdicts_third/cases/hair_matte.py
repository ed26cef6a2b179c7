import torch
import torch.nn as nn


class HairMatte(nn.Module):
    """The share of each pixel that is foreground."""

    def __init__(self, limits=True):
        super().__init__()
        self.limits = limits
        self.encode = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU())
        self.refine = nn.Sequential(nn.Conv2d(32, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 1, 1))
        nn.init.constant_(self.refine[2].bias, -2.2)

    def forward(self, image):
        alpha = self.refine(self.encode(image))
        return alpha.clamp(0, 1) if self.limits else alpha


def build_model(limits=True):
    torch.manual_seed(9201)
    return HairMatte(limits)


def make_batch():
    g = torch.Generator().manual_seed(9202)
    alpha = (torch.rand(8, 1, 6, 6, generator=g) > 0.7).float()
    alpha = nn.functional.interpolate(alpha, scale_factor=4, mode="bilinear")
    tint = torch.tensor([0.8, 0.4, 0.2])[:, None, None]
    return alpha * tint + 0.2 * torch.rand(8, 3, 24, 24, generator=g), alpha


loss = nn.L1Loss()
