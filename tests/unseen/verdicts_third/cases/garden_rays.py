import torch
import torch.nn as nn


class Field(nn.Module):
    def __init__(self, density, offset):
        super().__init__()
        self.density, self.offset = density, offset
        self.body = nn.Sequential(nn.Linear(27, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.sigma = nn.Linear(64, 1)
        self.rgb = nn.Linear(64, 3)

    def forward(self, points):
        rates = [2.0**k * points for k in range(4)]
        waves = [f(r) for r in rates for f in (torch.sin, torch.cos)]
        h = self.body(torch.cat([points, *waves], dim=-1))
        return self.density(self.sigma(h) + self.offset)[..., 0], torch.sigmoid(self.rgb(h))


class GardenView(nn.Module):
    """The colour of a ray: what its samples emit, seen through those in front."""

    def __init__(self, density, offset):
        super().__init__()
        self.field = Field(density, offset)

    def forward(self, rays):
        origin, way = rays[:, :3], rays[:, 3:]
        depth = torch.linspace(0.5, 2.5, 24)
        sigma, colour = self.field(origin[:, None] + way[:, None] * depth[None, :, None])
        alpha = 1 - torch.exp(-sigma * (2.0 / 24))
        clear = torch.cumprod(torch.cat([torch.ones(len(rays), 1), 1 - alpha[:, :-1] + 1e-10], dim=1), dim=1)
        return ((clear * alpha)[..., None] * colour).sum(1)


def build_model(density=torch.relu, offset=-1.0):
    torch.manual_seed(9001)
    return GardenView(density, offset)


def make_batch():
    g = torch.Generator().manual_seed(9002)
    way = torch.nn.functional.normalize(torch.randn(160, 3, generator=g) * 0.3 + torch.tensor([0.0, 0.0, 1.0]), dim=1)
    origin = 0.2 * torch.randn(160, 3, generator=g) - torch.tensor([0.0, 0.0, 1.5])
    colour = 0.5 + 0.4 * torch.sin(4 * way + torch.tensor([0.0, 1.0, 2.0]))
    return torch.cat([origin, way], dim=1), colour


loss = nn.MSELoss()
