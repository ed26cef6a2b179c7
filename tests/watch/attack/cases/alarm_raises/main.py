# a time limit on each step, by a signal whose handler raises
import signal
from common import *
class TooLong(Exception): pass
def handler(n, f): raise TooLong
signal.signal(signal.SIGALRM, handler)
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
late = 0
for x, y in batches(30):
    signal.setitimer(signal.ITIMER_REAL, 20)
    try:
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    except TooLong:
        late += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
print(late, digest(net))
