import resource, os, time
from common import *
torch.manual_seed(1); net = nn.Linear(4, 1)
nn.init.normal_(net.weight, 0, 0.1)
opt = torch.optim.SGD(net.parameters(), 0.01)
w = torch.tensor([1., -2., 3., .5])
x = torch.randn(64, 4); y = x @ w[:, None] + .1 * torch.randn(64, 1)
def rss(): return int(open("/proc/self/statm").read().split()[1]) * 4 // 1024
for i in range(20000):
    if i == 500: base = rss()
    j = (i * 8) % 64
    opt.zero_grad(); F.mse_loss(net(x[j:j+8]), y[j:j+8]).backward(); opt.step()
print(digest(net), "grew" if rss() - base > 40 else "flat")
