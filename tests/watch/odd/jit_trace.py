"""torch.jit.trace and torch.jit.script."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)

traced = torch.jit.trace(net, x)
scripted = torch.jit.script(net)
print(traced(x).sum().item(), scripted(x).sum().item())
for step in range(5):
    opt.zero_grad()
    loss = nn.functional.mse_loss(traced(x), y) + nn.functional.mse_loss(scripted(x), y)
    loss.backward()
    opt.step()
again = torch.jit.trace(net, x)
print(loss.item(), again(x).sum().item())
print(str(again.graph)[:300])
