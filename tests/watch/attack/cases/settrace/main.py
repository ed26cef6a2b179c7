import sys
from common import *
seen = {}
def tracer(frame, event, arg):
    if frame.f_code.co_filename == __file__:
        seen[event] = seen.get(event, 0) + 1
        return tracer
sys.settrace(tracer)
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
def step(x, y):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
def loop():
    for x, y in batches(10): step(x, y)
loop()
print(sys.gettrace() is tracer)
sys.settrace(None)
print(seen, digest(net))
