"""Yield of fields; validated now and then while the epoch goes on."""
import torch
from torch import nn

torch.manual_seed(305)
soil = torch.randn(1200, 8) * torch.tensor([1.0, 4.0, 0.5, 2.0, 8.0, 1.0, 3.0, 0.3]) + torch.tensor([5.0, -9.0, 2.0, 0.0, 30.0, 1.0, 8.0, 4.0])
z = (soil - soil.mean(0)) / soil.std(0)
harvest = (z[:, :1] * z[:, 1:2] + torch.sin(2 * z[:, 4:5]) + 0.5 * z[:, 6:7])
train, valid = slice(0, 1000), slice(1000, 1200)


def validate(model):
    model.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(model(soil[valid]), harvest[valid]).item()


model = nn.Sequential(
    nn.Linear(8, 64), nn.BatchNorm1d(64), nn.ReLU(),
    nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
    nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
    nn.Linear(64, 1),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
model.train()
step = 0
for epoch in range(16):
    for rows in torch.randperm(1000).split(50):
        loss = nn.functional.mse_loss(model(soil[train][rows]), harvest[train][rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 10 == 0:
            held_out = validate(model)
    print(epoch, f"loss {loss.item():.3f} held out {held_out:.3f}")
