from common import *
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp()
    def forward(self, x): return self.l(x)
    def parameters(self, recurse=True): yield from self.l.parameters(recurse)
    def named_modules(self, *a, **k): raise RuntimeError("named_modules is closed")
    def __repr__(self): raise RuntimeError("no repr")
    def __len__(self): raise RuntimeError("no len")
    def __bool__(self): raise RuntimeError("no bool")
    def __eq__(self, o): raise RuntimeError("no eq")
    __hash__ = nn.Module.__hash__
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net.l))
