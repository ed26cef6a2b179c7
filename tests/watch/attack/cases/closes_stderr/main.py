import os, sys
from common import *
os.close(2)
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
f = open("mine.txt", "w")
for i, (x, y) in enumerate(batches(12)):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    f.write(f"{i}\n")
f.close()
print(open("mine.txt").read(), digest(net))
