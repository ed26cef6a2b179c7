"""Forecast the level of a river; now and then a storm makes a whole batch loud, and clipping is there for that."""
import torch
from torch import nn

torch.manual_seed(122)
CLIP = 0.25


class River(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.lstm = nn.LSTM(2, width, batch_first=True)
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1]).squeeze(-1)


def week(storm=False, n=24, length=20):
    rain = torch.rand(n, length).pow(4)
    if storm:
        rain = rain + 12 * torch.rand(n, length)
    kernel = 0.8 ** torch.arange(length).flip(0)
    level = (rain * kernel).sum(1)
    tide = torch.sin(0.6 * torch.arange(length) + 6.28 * torch.rand(n, 1))
    return torch.stack([rain, tide], 2), level + 0.3 * tide[:, -1] + 0.02 * torch.randn(n)


river = River()
optimizer = torch.optim.Adam(river.parameters(), lr=5e-3)
for step in range(1, 301):
    x, y = week(storm=step % 37 == 0)
    loss = nn.functional.mse_loss(river(x), y)
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(river.parameters(), CLIP)
    optimizer.step()
    if step % 30 == 0 or step % 37 == 0:
        print(step, f"loss {loss.item():.4f} norm {norm.item():.2f}")
with torch.no_grad():
    x, y = week(n=500)
    print("calm weeks, share of the variance explained:", 1 - ((river(x) - y).square().mean() / y.var()).item())
