# gradcheck check GC501.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(1024, 16), nn.ReLU(), nn.Linear(16, 1024)).half()
batch = (torch.randn(32, 8) @ torch.randn(8, 1024)).half()


def step(model, x):
    return 3e-5 * nn.functional.mse_loss(model(x), x)  # gradients below the smallest of float16
