# gradcheck run --quiet --no-try --shadow GC646.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x = torch.randn(512, 10)
y = x @ torch.randn(10, 1) / 3
model = nn.Linear(10, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=1.0)
for step in range(200):
    rows = torch.randint(512, (8,))
    loss = F.mse_loss(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
