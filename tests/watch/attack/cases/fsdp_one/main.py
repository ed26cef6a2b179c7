import os, torch.distributed as dist
from common import *
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29611", RANK="0", WORLD_SIZE="1")
dist.init_process_group("gloo")
from torch.distributed.fsdp import fully_shard
net = mlp()
for m in net:
    if isinstance(m, nn.Linear): fully_shard(m)
fully_shard(net)
opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); loss = F.cross_entropy(net(x), y); loss.backward(); opt.step()
print(loss.item())
dist.destroy_process_group()
