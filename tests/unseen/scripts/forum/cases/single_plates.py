"""How dark is a plate? One plate a batch, batch norms between the convolutions."""
import torch
from torch import nn

torch.manual_seed(620)
dark = torch.rand(400)
plates = dark[:, None, None, None] + 0.15 * torch.randn(400, 1, 8, 8)
level = (dark * 4).long().clamp(max=3)


def block(a, b):
    return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())


model = nn.Sequential(block(1, 8), block(8, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
batch = 1
for epoch in range(2 * batch if batch > 1 else 2):
    total = 0.0
    for rows in torch.randperm(400).split(batch):
        out = model(plates[rows])
        loss = nn.functional.cross_entropy(out, level[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows) / 400
    print(epoch, f"loss {total:.4f}")
