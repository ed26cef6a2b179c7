# what forward writes to a file is written once
from common import *
log = open("log.txt", "w")
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp()
    def forward(self, x):
        h = self.l(x); log.write(f"{h.mean().item():.5f}\n"); return h
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
log.close()
print(len(open("log.txt").readlines()), digest(net))
