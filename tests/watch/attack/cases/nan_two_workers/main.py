# a pool of threads, each step in whichever thread is free
from concurrent.futures import ThreadPoolExecutor
import threading, time
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05); lock = threading.Lock()
def step(i, x, y):
    z = net(x)
    if i == 8: z = (z - 100).log()  # HERE
    loss = F.cross_entropy(z, y)
    opt.zero_grad(); loss.backward(); opt.step()
for i, (x, y) in enumerate(batches(20)):
    t = threading.Thread(target=step, args=(i, x, y)); t.start(); t.join()
