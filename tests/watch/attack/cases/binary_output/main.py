import sys, os
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    sys.stdout.buffer.write(bytes(range(256)) + b"\r\n\x1b[2J"); os.write(2, b"\xff\xfe\x00")
