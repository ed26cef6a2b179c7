# files beside the script with the names of modules that are imported late
import os, sys
from common import *
for name in ("sqlite3", "netrc", "mailbox", "graphlib", "tomllib"):
    with open(name + ".py", "w") as f: f.write("raise RuntimeError('not for you')\n")
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(12)):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))
