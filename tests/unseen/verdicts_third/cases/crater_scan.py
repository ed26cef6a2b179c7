import torch
import torch.nn as nn
import torch.nn.functional as F


class CraterReader(nn.Module):
    """Finds the crater, turns it upright, then tells its kind."""

    def __init__(self, spread=0.5):
        super().__init__()
        self.locate = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 5, stride=2), nn.ReLU(), nn.Flatten()
        )
        self.pose = nn.Linear(16 * 4 * 4, 6)
        nn.init.normal_(self.pose.weight, std=spread)
        self.pose.bias.data = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
        self.read = nn.Sequential(
            nn.Conv2d(1, 12, 3, stride=2), nn.ReLU(), nn.Conv2d(12, 16, 3, stride=2), nn.ReLU(), nn.Flatten()
        )
        self.kind = nn.Linear(16 * 6 * 6, 4)

    def forward(self, images):
        theta = self.pose(self.locate(images)).view(-1, 2, 3)
        grid = F.affine_grid(theta, images.shape, align_corners=False)
        upright = F.grid_sample(images, grid, align_corners=False)
        return self.kind(self.read(upright))


def build_model(spread=0.5):
    torch.manual_seed(8101)
    return CraterReader(spread)


def make_batch():
    g = torch.Generator().manual_seed(8102)
    kind = torch.arange(64) % 4
    rows = torch.arange(28.0)
    shapes = []
    for k in kind.tolist():
        angle = torch.rand(1, generator=g) * 0.4 + k * 0.785
        wave = torch.cos(0.9 * (rows[:, None] * torch.cos(angle) + rows[None] * torch.sin(angle)))
        shapes.append(20 * wave + 10 * torch.randn(28, 28, generator=g))
    return torch.stack(shapes)[:, None], kind


loss = nn.CrossEntropyLoss()
