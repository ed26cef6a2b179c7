import resource
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
for x, y in batches(20):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))
