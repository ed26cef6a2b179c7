from concurrent.futures import ThreadPoolExecutor
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
def step(i, x, y):
    z = net(x)
    if i == 8: z = (z - 100).log()  # HERE
    loss = F.cross_entropy(z, y)
    opt.zero_grad(); loss.backward(); opt.step()
with ThreadPoolExecutor(1) as pool:
    for i, (x, y) in enumerate(batches(20)): pool.submit(step, i, x, y).result()
