import os, signal
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(20)):
    try:
        opt.zero_grad(); F.cross_entropy(net(x), y).backward()
        if i == 7: os.kill(os.getpid(), signal.SIGINT)
        opt.step()
    except KeyboardInterrupt:
        print("interrupted at", i)
print(digest(net))
