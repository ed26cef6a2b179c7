"""torch.func: grad, vmap, jacrev, jvp, functional_call."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)

from torch.func import functional_call, grad, vmap, jacrev, hessian, jvp
params = {k: v.detach() for k, v in net.named_parameters()}
def loss_fn(params, a, b):
    return nn.functional.mse_loss(functional_call(net, params, (a[None],)), b[None])
for step in range(4):
    grads = grad(loss_fn)(params, x[0], y[0])
    params = {k: v - 0.1 * grads[k] for k, v in params.items()}
per_sample = vmap(grad(loss_fn), in_dims=(None, 0, 0))(params, x, y)
print({k: v.norm().item() for k, v in per_sample.items()})
print(jacrev(lambda a: net(a))(x[0]).sum().item())
print(jvp(lambda a: net(a), (x,), (torch.ones_like(x),))[1].sum().item())
for step in range(5):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
print(loss.item())
