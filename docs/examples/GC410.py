# gradcheck check GC410.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
x = torch.randn(64, 8)
batch = 37 + 0.4 * x, x[:, :1].sin()  # temperatures of people
loss = nn.functional.mse_loss
