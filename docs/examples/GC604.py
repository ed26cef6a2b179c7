# gradcheck check GC604.py --optimizer adam --lr 1e-3 --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4)).half()  # where Adam's eps of 1e-8 is 0
batch = torch.randn(64, 20).half(), torch.arange(64) % 4
loss = F.cross_entropy
