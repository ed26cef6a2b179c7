import inspect, traceback
from common import *
names = []
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp()
    def forward(self, x):
        if not names: names.extend(f.function for f in inspect.stack())
        return self.l(x)
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
def step(x, y):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
for x, y in batches(6): step(x, y)
print([n for n in names if n in ("forward", "step", "<module>")])
try: net(torch.zeros(2, 3))
except RuntimeError: print(traceback.format_exc().replace(__file__, "F"))
