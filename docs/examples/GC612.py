# gradcheck check GC612.py --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
y = torch.arange(64) % 4
batch = F.one_hot(y, 20).float(), y
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for _ in range(400):
    optimizer.zero_grad()
    F.cross_entropy(model(batch[0]), y).backward()
    optimizer.step()
loss = F.cross_entropy
