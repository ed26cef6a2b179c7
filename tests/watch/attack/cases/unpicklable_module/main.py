import threading
from common import *
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp(); self.lock = threading.Lock(); self.gen = (i for i in range(9)); self.f = open(os.devnull, "w")
    def __deepcopy__(self, memo): raise TypeError("not me")
    def __getstate__(self): raise TypeError("nor me")
    def forward(self, x):
        with self.lock: return self.l(x)
import os
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))
