import os, time
from common import *
os.write_ = os.write
def broken(*a): raise OSError("no")
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
time.time = broken; time.monotonic = broken; time.perf_counter = broken
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))
