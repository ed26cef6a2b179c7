# a hook stops the backward pass of a bad batch; the loop goes on
from common import *
class Stop(Exception): pass
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
bad = False
def hook(g):
    if bad: raise Stop("enough")
net[0].weight.register_hook(hook)
n = 0
for i, (x, y) in enumerate(batches(20)):
    bad = i % 6 == 5
    opt.zero_grad()
    try: F.cross_entropy(net(x), y).backward()
    except Stop: n += 1; continue
    opt.step()
print(n, digest(net))
