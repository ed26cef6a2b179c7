# gradcheck run --quiet --no-try GC630.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(40):
    x = torch.randn(16, 8)
    if step == 20:
        x[5] = 0  # an empty row
    optimizer.zero_grad()
    loss = (F.mse_loss(model(x), x[:, :1].sin()) + x.square().sum(1).log().mean() * model[2].bias.square()).mean()
    loss.backward()
    optimizer.step()
