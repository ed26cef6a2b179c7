from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for p in net.parameters(): p.register_hook(lambda g: g.clamp(-.01, .01) * 2)
net[0].weight.register_post_accumulate_grad_hook(lambda p: (p.grad.mul_(0.5), None)[1])
for x, y in batches(12):
    h = net[1](net[0](x)); h.register_hook(lambda g: g * 3)
    opt.zero_grad(); F.cross_entropy(net[2](h), y).backward(); opt.step()
print(digest(net))
