import weakref, gc
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
freed = []
for x, y in batches(12):
    out = net(x); loss = F.cross_entropy(out, y)
    ref = weakref.ref(out); refl = weakref.ref(loss)
    opt.zero_grad(); loss.backward(); opt.step()
    del out, loss
    freed.append((ref() is None, refl() is None))
print(freed, digest(net))
