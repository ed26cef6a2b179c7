# as many steps as it takes for a sample: globals, a closure, a file, a descriptor, a generator of its own
import os
from common import *
STEP = 0; LOG = []; g = torch.Generator().manual_seed(7)
log = open("log.txt", "w")
def counting():
    n = 0
    def counted():
        nonlocal n; n += 1; return n
    return counted
counted = counting()
class Net(nn.Module):
    total = 0
    def __init__(self): super().__init__(); self.l = mlp()
    def forward(self, x):
        global STEP
        STEP += 1; LOG.append(STEP); Net.total += 1; counted(); os.write(1, b".")
        log.write(f"{STEP}\n")
        with open("other.txt", "a") as f: f.write("x")
        return self.l(x + 0.01 * torch.randn(x.shape, generator=g))
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(70):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
log.close()
print(STEP, len(LOG), Net.total, counted(), os.path.getsize("log.txt"), os.path.getsize("other.txt"), torch.rand(1, generator=g).item(), digest(net))
