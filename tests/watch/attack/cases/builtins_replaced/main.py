import builtins, json, os, time, random
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
real = json.dumps
json.dumps = lambda *a, **k: "patched"
real_open = builtins.open
builtins.open = lambda *a, **k: real_open(*a, **k)
time.perf_counter = lambda: 0.0
os.getpid_ = os.getpid
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(json.dumps(1), digest(net))
