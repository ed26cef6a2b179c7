# files beside the script with the names of modules of the standard library's that it never imports, or only at its end
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
import statistics
print(digest(net), hasattr(statistics, "median"))
