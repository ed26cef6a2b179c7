# gradcheck run --every 1 --no-try GC636.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
centres = torch.randn(4, 8)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(300):
    optimizer.param_groups[0]["weight_decay"] = 5.0 if step == 200 else 0.0  # a schedule with a hole
    y = torch.arange(32) % 4
    x = centres[y] + torch.randn(32, 8)
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
