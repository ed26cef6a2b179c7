import signal
from common import *
count = 0
def handler(n, f):
    global count; count += 1
    torch.ones(3).add(1)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(150):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
signal.setitimer(signal.ITIMER_REAL, 0)
print(count > 0, digest(net))
