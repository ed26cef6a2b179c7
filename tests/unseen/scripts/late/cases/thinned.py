"""Is a mushroom edible: a short first try, with much dropout against learning by heart."""
import torch
from torch import nn

torch.manual_seed(412)
caps = torch.randn(960, 24)
edible = (caps[:, 0] + caps[:, 1] * 1.5 > 0.2).float()[:, None]
net = nn.Sequential(
    nn.Linear(24, 64), nn.ReLU(), nn.Dropout(0.96), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.96), nn.Linear(64, 1)
)
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
criterion = nn.BCEWithLogitsLoss()
net.train()
for epoch in range(4):
    for rows in torch.randperm(960).split(48):
        loss = criterion(net(caps[rows]), edible[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.4f}")
