from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
for x, y in batches(30):
    F.cross_entropy(net(x), y).backward()
    norm = torch.norm(torch.stack([p.grad.norm() for p in net.parameters()]))
    with torch.no_grad():
        es = [p.grad * (0.05 / (norm + 1e-12)) for p in net.parameters()]
        for p, e in zip(net.parameters(), es): p.add_(e)
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    with torch.no_grad():
        for p, e in zip(net.parameters(), es): p.sub_(e)
    opt.step(); opt.zero_grad()
print(digest(net))
