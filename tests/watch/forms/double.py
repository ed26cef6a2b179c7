"""Everything in float64, NaN in one step."""
import torch
from torch import nn

net = nn.Linear(3, 1).double()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(10):
    x = torch.rand(8, 3, dtype=torch.float64)
    if step == 6:
        x[2] = -100
    loss = net(x).abs().add(x.sum(1, keepdim=True)).sqrt().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
