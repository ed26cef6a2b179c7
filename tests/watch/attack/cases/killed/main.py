import os
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(12)):
    z = net(x)
    if i == 7: z = (z - z).sqrt()  # HERE
    opt.zero_grad(); F.cross_entropy(z, y).backward(); opt.step()
    if i == 9: os.kill(os.getpid(), 9)
