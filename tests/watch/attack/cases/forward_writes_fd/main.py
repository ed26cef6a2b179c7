import os
from common import *
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp()
    def forward(self, x):
        os.write(1, b"forward\n"); return self.l(x)
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
