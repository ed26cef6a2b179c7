import sys; sys.path.insert(0, ".")
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(6)):
    z = net(x)
    if i == 3: z = (z - 100).log()  # HERE
    opt.zero_grad(); F.cross_entropy(z, y).backward(); opt.step()
print("schluß")
