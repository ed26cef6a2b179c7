import os, sys
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
again = len(sys.argv) > 1
for x, y in batches(12, 50 * again):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(again, digest(net), flush=True)
if not again: os.execv(sys.executable, [sys.executable, __file__, "again"])
