import torch
import torch.nn as nn


class BadgerFace(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2), nn.ReLU(), nn.Flatten()
        )
        self.embed = nn.Linear(32 * 5 * 5, 32)

    def forward(self, x):
        return self.embed(self.net(x))


def make_batch():
    g = torch.Generator().manual_seed(9102)
    who = torch.arange(64) // 4
    face = torch.randn(16, 1, 24, 24, generator=g)
    return 1.0 + face[who] * 0.6 + 2.0 * torch.randn(64, 1, 24, 24, generator=g), who


def compute_loss(model, batch):
    """The hardest triplet of each anchor."""
    images, who = batch
    z = model(images)
    gap = (z[:, None] - z[None]).pow(2).sum(-1)
    same = who[:, None] == who[None]
    furthest = gap.masked_fill(~same, 0).amax(1)
    nearest = gap.masked_fill(same, float("inf")).amin(1)
    return torch.relu(0.5 + furthest - nearest).mean()


def build_model(rate=1e-2, warm=50):
    torch.manual_seed(9101)
    model, batch = BadgerFace(), make_batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(warm):
        optimizer.zero_grad()
        compute_loss(model, batch).backward()
        optimizer.step()
    return model
