import sys, os
from common import *
real = sys.exit
def mine(code=0):
    print("leaving", code); sys.stdout.flush(); real(code + 1)
sys.exit = mine
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
sys.exit(4)
