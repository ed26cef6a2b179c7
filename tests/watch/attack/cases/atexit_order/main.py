import atexit
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
@atexit.register
def last(): print("last", digest(net))
@atexit.register
def first():
    for x, y in batches(5):
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    print("first", atexit._ncallbacks() > 0)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
