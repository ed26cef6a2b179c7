"""Delivery times with a learned spread: one number a kind of road, updated like any weight."""
import torch
from torch import nn

torch.manual_seed(701)


class Times(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
        self.spread = nn.Parameter(torch.tensor([1.0, 1.0, 1.0]))

    def forward(self, x, road):
        return self.net(x).squeeze(-1), self.spread[road]


def orders(n=64):
    x, road = torch.randn(n, 5), torch.randint(3, (n,))
    noise = torch.tensor([0.5, 0.2, 0.01])[road]
    return x, road, torch.relu(x[:, 0] + 0.5 * x[:, 1]) + noise * torch.randn(n)


model = Times()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
for step in range(1, 301):
    x, road, y = orders()
    mean, spread = model(x, road)
    loss = (torch.log(spread) + 0.5 * ((y - mean) / spread) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 30 == 0:
        print(step, f"{loss.item():.4f}", [round(s, 3) for s in model.spread.tolist()])
