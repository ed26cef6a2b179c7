import asyncio
from common import *
net = mlp()
opt = torch.optim.SGD(net.parameters(), 0.05)
async def fetch():
    for x, y in batches(20):
        await asyncio.sleep(0)
        yield x, y
async def train():
    async for x, y in fetch():
        out = net(x)
        await asyncio.sleep(0)
        loss = F.cross_entropy(out, y)
        opt.zero_grad(); loss.backward()
        await asyncio.sleep(0)
        opt.step()
asyncio.run(train())
print(digest(net))
