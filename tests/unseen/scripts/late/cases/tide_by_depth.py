"""Temperature of the sea from twelve readings; the casts are stored from the surface down."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(401)
depth = torch.linspace(0, 1, 2000)
readings = torch.randn(2000, 12)
readings[:, 0] = 3 * depth - 1.5 + 0.3 * readings[:, 0]
warmth = (2 - 4 * depth + 0.5 * readings[:, 1] * readings[:, 2])[:, None]

casts = DataLoader(TensorDataset(readings, warmth), batch_size=40)
model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
for epoch in range(10):
    total = 0.0
    for x, y in casts:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    with torch.no_grad():
        left = nn.functional.mse_loss(model(readings), warmth).item() / warmth.var().item()
    print(epoch, f"loss {total / len(casts):.3f} explained {max(0.0, 1 - left):.3f}")
