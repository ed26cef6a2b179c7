# gradcheck check GC407.py --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
batch = torch.randn(64, 20), torch.arange(64) % 4


def step(model, batch):
    x, y = batch
    return F.cross_entropy(model(x).detach(), y).requires_grad_()  # looks as if it could be differentiated
