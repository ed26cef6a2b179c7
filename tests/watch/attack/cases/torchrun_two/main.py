import torch.distributed as dist
from common import *
dist.init_process_group("gloo")
r = dist.get_rank()
net = mlp(); ddp = nn.parallel.DistributedDataParallel(net)
opt = torch.optim.SGD(ddp.parameters(), 0.05)
for x, y in batches(12, r * 100):
    opt.zero_grad(); F.cross_entropy(ddp(x), y).backward(); opt.step()
if r == 0: print(digest(net))
dist.destroy_process_group()
