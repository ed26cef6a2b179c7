from common import *
from torch.func import grad_and_value, functional_call, vmap, jacrev
net = mlp(); ps = {n: p.detach() for n, p in net.named_parameters()}
def loss_of(ps, x, y): return F.cross_entropy(functional_call(net, ps, (x[None],)), y[None])
for x, y in batches(12):
    g, l = vmap(grad_and_value(loss_of), in_dims=(None, 0, 0))(ps, x, y)
    ps = {n: p - 0.05 * g[n].mean(0) for n, p in ps.items()}
print(hashed(ps.values()))
opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(5):
    j = jacrev(lambda v: net(v))(x[:2])
    opt.zero_grad(); (F.cross_entropy(net(x), y) + 0 * j.sum()).backward(); opt.step()
print(digest(net))
