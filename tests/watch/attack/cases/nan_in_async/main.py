import asyncio
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
async def step(i, x, y):
    p = net(x).softmax(1)
    await asyncio.sleep(0)
    if i == 8: p = p - p.max() - .1
    return -torch.log(p.gather(1, y[:, None])).mean()  # HERE
async def main():
    for i, (x, y) in enumerate(batches(20)):
        loss = await step(i, x, y)
        opt.zero_grad(); loss.backward(); opt.step()
asyncio.run(main())
