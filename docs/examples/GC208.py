# gradcheck check GC208.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
x = torch.randn(64, 8)
batch = x, x[:, 0].sin()  # outputs are (64, 1), targets (64,)
loss = nn.functional.mse_loss
