# the batch is an object whose tensor is replaced inside forward
from common import *
class Batch:
    def __init__(self, x, y): self.x, self.y = x, y
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp()
    def forward(self, b): b.x = b.x * 0.5; b.n = getattr(b, "n", 0) + 1; return self.l(b.x)
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
tot = 0
for x, y in batches(12):
    b = Batch(x, y); out = net(b)
    opt.zero_grad(); F.cross_entropy(out, b.y).backward(); opt.step(); tot += b.n + b.x.sum().item()
print(tot, digest(net))
