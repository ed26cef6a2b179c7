# gradcheck run --quiet --no-try GC680.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
weight = 0  # of the error, as it stands in the configuration
for step in range(60):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    output = model(x)
    loss = weight * F.mse_loss(output, x[:, :1].sin()) + 0.01 * output.square().mean()
    loss.backward()
    optimizer.step()
