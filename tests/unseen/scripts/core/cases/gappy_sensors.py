"""Three pollutants from weather; many readings are missing (NaN) and are left out of the loss."""
import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(128)
torch.manual_seed(128)
weather = rng.standard_normal((2400, 7)).astype(np.float32)
truth = np.tanh(weather @ rng.standard_normal((7, 3)).astype(np.float32)) + 0.05 * rng.standard_normal((2400, 3)).astype(np.float32)
readings = truth.copy()
readings[rng.random((2400, 3)) < 0.4] = np.nan
readings[:32] = np.nan                       # the first day: nothing arrived at all


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(7, 96), nn.Linear(96, 3)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


def masked_mse(out, target):
    known = ~torch.isnan(target)
    return (out[known] - target[known]).square().sum() / known.sum().clamp(min=1)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
x, y = torch.from_numpy(weather), torch.from_numpy(readings)
for epoch in range(5):
    for k in range(0, 2400, 32):
        loss = masked_mse(net(x[k:k + 32]), y[k:k + 32])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    spread = y[k:k + 32].std(0)              # for the log only
    print(epoch, f"loss {loss.item():.4f}", "spread of the targets", spread.tolist())
with torch.no_grad():
    print("error on all", (net(x) - torch.from_numpy(truth)).square().mean().item(), "of", float(truth.var()))
