from common import *
from collections import deque
STEP = 0; LOG = []; RECENT = deque(maxlen=5); SEEN = {}; IDS = set()
class Net(nn.Module):
    total = 0
    def __init__(self): super().__init__(); self.l = mlp(); self.hist = []
    def forward(self, x):
        global STEP
        STEP += 1; Net.total += 1; LOG.append(STEP); RECENT.append(STEP); SEEN[STEP] = SEEN.get(STEP, 0) + 1; IDS.add(STEP); self.hist.append(STEP)
        return self.l(x)
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(STEP, Net.total, LOG, list(RECENT), SEEN, len(IDS), len(net.hist), digest(net))
