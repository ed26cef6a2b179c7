# gradcheck run --quiet --no-try GC663.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x = torch.randn(256, 8)
data = torch.utils.data.TensorDataset(x, x[:, :1].sin())
loader = torch.utils.data.DataLoader(data, batch_size=16)
for step in range(30):
    x, y = next(iter(loader))  # the first batch, each time
    optimizer.zero_grad()
    F.mse_loss(model(x), y).backward()
    optimizer.step()
