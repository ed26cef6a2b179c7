# gradcheck run --quiet --no-try GC640.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
centres = torch.randn(5, 16)
model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 5))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(360):
    if step == 180:
        for layer in model[2::2]:
            nn.init.constant_(layer.weight, 0.05)  # from here on their units are copies
            nn.init.zeros_(layer.bias)
    y = torch.randint(0, 5, (64,))
    x = centres[y] + 0.9 * torch.randn(64, 16)
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
