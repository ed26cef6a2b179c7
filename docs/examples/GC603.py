# gradcheck check GC603.py --lr 0.015
import torch
from torch import nn

model = nn.Linear(8, 1)
nn.init.constant_(model.bias, 10.0)
x = torch.randn(64, 8) * torch.tensor([10.0] + [1.0] * 7)  # one column is wider than the others
batch = x, 10 + x[:, :1] + 0.1 * x[:, 1:].sum(1, keepdim=True)
loss = nn.functional.mse_loss
