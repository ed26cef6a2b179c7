# gradcheck run --quiet --no-try GC676.py
import copy

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
best = copy.deepcopy(model.state_dict())
for step in range(60):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), x[:, :1].sin())
    loss.backward()
    optimizer.step()
    if step % 10 == 9:
        model.load_state_dict(best)  # which is never saved again
