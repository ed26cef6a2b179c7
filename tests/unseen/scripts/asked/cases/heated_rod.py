"""The warmth along a rod that is heated within and held at 0 at both ends."""
import torch
from torch import nn

torch.manual_seed(721)


class Warmth(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        )

    def forward(self, x):
        return self.net(x)


def slope(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]


model = Warmth()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
ends = torch.tensor([[0.0], [1.0]])
for step in range(600):
    x = torch.rand(64, 1, requires_grad=True)
    u = model(x)
    bend = slope(slope(u, x), x)
    inside = (bend + 9.87 * torch.sin(3.1416 * x)).pow(2).mean()
    loss = inside + 10 * model(ends).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 99:
        with torch.no_grad():
            at = torch.linspace(0, 1, 101)[:, None]
            error = (model(at) - torch.sin(3.1416 * at)).abs().max().item()
        print(step + 1, f"loss {loss.item():.4f} error {error:.4f}")
