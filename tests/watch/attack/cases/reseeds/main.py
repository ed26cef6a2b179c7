from common import *
import random, numpy as np
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp(); self.n = 0
    def forward(self, x):
        self.n += 1
        torch.manual_seed(self.n); random.seed(self.n); np.random.seed(self.n)
        return self.l(F.dropout(x, 0.3)) * (1 + .01 * random.random()) + float(np.random.rand()) * .01
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(net.n, torch.rand(1).item(), random.random(), np.random.rand(), digest(net))
