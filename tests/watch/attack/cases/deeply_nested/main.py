# 240 modules inside each other: near the limit of recursion, but plain Python manages
from common import *
class Wrap(nn.Module):
    def __init__(self, inner): super().__init__(); self.inner = inner
    def forward(self, x): return self.inner(x)
net = mlp()
for _ in range(240): net = Wrap(net)
opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(10):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))
