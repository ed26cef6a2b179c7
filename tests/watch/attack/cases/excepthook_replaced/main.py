import sys, os
from common import *
def hook(kind, error, tb):
    print("caught", kind.__name__, error, flush=True)
    os._exit(3)
sys.excepthook = hook
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(12)):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    if i == 9: raise ValueError("no more")
