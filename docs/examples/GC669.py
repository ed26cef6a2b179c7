# gradcheck run --quiet --no-try GC669.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(8, 16), nn.Tanh())
decoder = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.05)  # and not the decoder's
for step in range(30):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    loss = F.mse_loss(decoder(encoder(x)), x[:, :1].sin())
    loss.backward()
    optimizer.step()
