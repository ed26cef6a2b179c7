from common import *
torch.manual_seed(0)
from torch.nn.utils import parametrizations as P
net = mlp(); P.orthogonal(net[0]); P.spectral_norm(net[2])
opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))
