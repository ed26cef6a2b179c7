# gradcheck run --quiet --no-try GC645.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
centres = torch.randn(4, 8)
body = nn.Sequential(nn.Linear(8, 32), nn.ReLU())
head = nn.Linear(32, 4)
model = nn.Sequential(body, head)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(300):
    y = torch.arange(32) % 4
    x = centres[y] + 0.3 * torch.randn(32, 8)
    h = body(x)
    loss = F.cross_entropy(head(h), y) + 10 * h.mean()  # to make them sparse: all of them end at 0
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
