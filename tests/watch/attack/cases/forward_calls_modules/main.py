from common import *
import tally
from tally import count as plain
class Meters:
    def __init__(self): self.n = 0
    def see(self): self.n += 1; tally.count(None)
METERS = Meters()
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp(); self.meters = METERS
    def forward(self, x):
        tally.SEEN.append("here"); tally.Meter.total += 10
        self.meters.see()
        return self.l(plain(tally.count(x)))
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(tally.COUNT, tally.SEEN, tally.Meter.total, METERS.n, digest(net))
