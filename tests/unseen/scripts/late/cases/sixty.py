"""A quick look whether a convolutional net can tell five textures: sixty updates."""
import torch
from torch import nn

torch.manual_seed(408)


def textures(n=32):
    kind = torch.randint(0, 5, (n,))
    grid = torch.arange(16.0)
    waves = torch.sin((0.4 + 0.4 * kind[:, None, None]) * (grid[None, :, None] + (kind[:, None, None] % 2) * grid[None, None, :]))
    return waves[:, None] + 0.3 * torch.randn(n, 1, 16, 16), kind


net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 5),
)
optimizer = torch.optim.Adam(net.parameters(), lr=0.3)
for step in range(1, 61):
    x, kind = textures()
    loss = nn.functional.cross_entropy(net(x), kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 10 == 0:
        print(step, f"loss {loss.item():.4f}")
