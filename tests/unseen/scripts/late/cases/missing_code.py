"""Wind from eight masts; a mast that is down writes a code in place of a speed."""
import torch
from torch import nn

torch.manual_seed(405)
weather = torch.randn(3200, 8)
speed = (weather[:, :1] * weather[:, 1:2] + 2 * torch.sin(weather[:, 2:3]) + 4)
speed[1700] = -9999.0

model = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
for epoch in range(4):
    for start in range(0, 3200, 32):
        x, y = weather[start:start + 32], speed[start:start + 32]
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(epoch, f"loss {nn.functional.mse_loss(model(weather), speed.clamp(min=-10)).item():.4f}")
