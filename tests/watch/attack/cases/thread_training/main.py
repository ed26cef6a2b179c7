import threading
from common import *
net = mlp()
opt = torch.optim.SGD(net.parameters(), 0.05)
def train():
    for x, y in batches(20):
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
t = threading.Thread(target=train); t.start(); t.join()
print(digest(net))
