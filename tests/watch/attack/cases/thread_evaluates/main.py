import threading
from common import *
net = mlp(); copy = mlp(seed=3)
opt = torch.optim.SGD(net.parameters(), 0.05)
stop = threading.Event()
def look():
    x, _ = batch(0)
    while not stop.is_set():
        with torch.no_grad(): copy(x).softmax(1).log().mean()
t = threading.Thread(target=look, daemon=True); t.start()
for x, y in batches(60):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
stop.set(); t.join()
print(digest(net))
