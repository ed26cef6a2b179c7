"""Soil moisture from radar; the rate falls by a tenth, meant for epochs."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(612)
echo = torch.randn(2000, 14)
moist = torch.sin(echo[:, :3]).sum(1, keepdim=True) * echo[:, 3:4] + 0.1 * torch.randn(2000, 1)


class Probe(nn.Module):
    def __init__(self):
        super().__init__()
        self.front = nn.Linear(14, 96)
        self.middle = nn.Linear(96, 96)
        self.back = nn.Linear(96, 1)

    def forward(self, x):
        x = torch.relu(self.front(x))
        x = torch.relu(self.middle(x))
        return self.back(x)


def epoch(model, loader, optimizer, scheduler):
    total = 0.0
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item()
    return total / len(loader)


model = Probe()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
loader = DataLoader(TensorDataset(echo, moist), batch_size=50, shuffle=True)
for number in range(12):
    print(number, f"loss {epoch(model, loader, optimizer, scheduler):.4f}")
