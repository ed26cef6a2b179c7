# gradcheck run --quiet --no-try GC643.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
centres = torch.randn(4, 8)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(600):
    if step == 250:
        optimizer.param_groups[0]["weight_decay"] = 0.5  # meant as 0.0005
    y = torch.arange(32) % 4
    x = centres[y] + 0.3 * torch.randn(32, 8)
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
