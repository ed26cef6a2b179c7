from common import *
net = mlp()
views = [p.detach().numpy() for p in net.parameters()]
for x, y in batches(20):
    F.cross_entropy(net(x), y).backward()
    for p, v in zip(net.parameters(), views):
        v -= 0.05 * p.grad.numpy(); p.grad = None
print(digest(net))
