# gradcheck check GC206.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
volts = torch.randn(256, 8)
batch = 3000 * volts, volts[:, :1].sin()  # in millivolts
loss = nn.functional.mse_loss
