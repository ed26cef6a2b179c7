# gradcheck check GC102.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
model[0].weight.data[2] = float("nan")  # as a checkpoint holds it that was saved too late
batch = torch.randn(8, 4), torch.randn(8, 1)
loss = nn.functional.mse_loss
