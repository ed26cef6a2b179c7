import sys
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for line in sys.stdin:
    opt.param_groups[0]["lr"] = float(line)
    for x, y in batches(5):
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))
