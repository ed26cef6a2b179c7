import os, sys
from common import *
net = mlp()
opt = torch.optim.SGD(net.parameters(), 0.05)
def train(n, at):
    for x, y in batches(n, at):
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
train(10, 0)
sys.stdout.flush()
pid = os.fork()
train(30 if pid == 0 else 10, 100)
print("child" if pid == 0 else "parent", digest(net), flush=True)
if pid == 0:
    sys.exit(0)
print(os.waitpid(pid, 0)[1])
