"""Strength of concrete from its mix."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(204)
mix = torch.rand(1500, 6)
strength = 2 * mix[:, :1] - 1.5 * mix[:, 1:2] ** 2 + mix[:, 2:3] * mix[:, 3:4] + 0.05 * torch.randn(1500, 1)
strength = (strength - strength.mean()) / strength.std()


def train_epoch(model, loader, criterion, optimizer):
    model.train()
    total = 0.0
    for x, y in loader:
        prediction = model(x)
        loss = criterion(prediction, y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
loader = DataLoader(TensorDataset(mix, strength), batch_size=50, shuffle=True)
for epoch in range(8):
    print(epoch, train_epoch(model, loader, nn.MSELoss(), optimizer))
