# gradcheck check GC211.py --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(
    nn.Conv2d(3, 8, 3),  # its bias is subtracted again by the norm
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(8 * 36, 4),
)
batch = torch.randn(16, 3, 8, 8), torch.arange(16) % 4
loss = F.cross_entropy
