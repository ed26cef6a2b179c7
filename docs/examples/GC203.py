# gradcheck check GC203.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
charges = torch.randn(64, 8)
batch = 1e-9 * charges, charges[:, :1].sin()  # in coulombs
loss = nn.functional.mse_loss
