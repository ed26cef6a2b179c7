# gradcheck run --quiet --no-try --every 1 GC643.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
centres = torch.randn(4, 8)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(900):
    if step > 200:
        optimizer.param_groups[0]["weight_decay"] = 0.002 * (step - 200)  # meant to stay below 0.001
    y = torch.arange(32) % 4
    x = centres[y] + torch.randn(32, 8)
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
