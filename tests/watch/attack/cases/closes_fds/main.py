import os
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(12)):
    if i in (0, 6): os.closerange(3, 256)
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    if i == 6: f = open("mine.txt", "w")
    if i > 6: f.write(f"{i}\n"); f.flush()
f.close()
print(open("mine.txt").read(), digest(net))
