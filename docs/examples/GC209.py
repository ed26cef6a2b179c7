# gradcheck check GC209.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())
nn.init.constant_(model[2].bias, 20.0)  # where training goes: as far up as it can
pixels = torch.rand(32, 64)
batch = pixels, 255 * pixels
loss = nn.functional.mse_loss
