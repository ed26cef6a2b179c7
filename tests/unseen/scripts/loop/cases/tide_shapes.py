"""Height of the tide from the positions of moon and sun."""
import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(208)
torch.manual_seed(208)
hours = rng.uniform(0, 400, 3000).astype(np.float32)
features = np.stack([f(hours * w) for w in (0.506, 0.524, 0.262) for f in (np.sin, np.cos)], 1).astype(np.float32)
height = (1.8 * features[:, 0] + 0.7 * features[:, 3] - 0.5 * features[:, 4] * features[:, 1] + 0.05 * rng.standard_normal(3000)).astype(np.float32)
X, y = torch.from_numpy(features), torch.from_numpy(height)

model = nn.Sequential(nn.Linear(6, 40), nn.Tanh(), nn.Linear(40, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)


def squared_error(prediction, target):
    return ((prediction - target) ** 2).mean()


for epoch in range(5):
    order = torch.randperm(3000)
    for rows in order.split(60):
        optimizer.zero_grad()
        loss = squared_error(model(X[rows]), y[rows])
        loss.backward()
        optimizer.step()
    print(epoch, f"{loss.item():.3f}")
