"""One inner step by functional_call, differentiated through."""
import torch
from torch import nn
from torch.func import functional_call

net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(8):
    x = torch.randn(10, 3)
    y = x.sum(1, keepdim=True)
    params = dict(net.named_parameters())
    inner = (functional_call(net, params, (x,)) - y).square().mean()
    grads = torch.autograd.grad(inner, list(params.values()), create_graph=True)
    fast = {name: p - 0.1 * g for (name, p), g in zip(params.items(), grads)}
    loss = (functional_call(net, fast, (x,)) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
