# gradcheck run --quiet --no-try GC670.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(8, 16), nn.Tanh())
decoder = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.05)
for step in range(30):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    code = encoder(x).detach()
    loss = F.mse_loss(decoder(code), x[:, :1].sin())
    loss.backward()
    optimizer.step()
