import time
from common import *
t0 = time.monotonic()
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp()
    def forward(self, x): return self.l(x) + (time.monotonic() - t0) * 1e-3
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print("done")
