# gradcheck check GC415.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
nn.init.constant_(model[0].bias, -2.0)
x = torch.randn(64, 8)
batch = x, x[:, :1].sin()
loss = nn.functional.mse_loss
