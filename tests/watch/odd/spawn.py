"""Two processes of torch.multiprocessing.spawn, under DistributedDataParallel."""
import torch
import torch.multiprocessing as mp
from torch import nn
def work(rank, world):
    import os
    import torch.distributed as dist
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29%d" % (500 + os.getppid() % 400))
    dist.init_process_group("gloo", rank=rank, world_size=world)
    torch.manual_seed(rank)
    net = nn.parallel.DistributedDataParallel(nn.Linear(4, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for step in range(8):
        x = torch.randn(16, 4)
        opt.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        opt.step()
    if rank == 0:
        print(loss.item(), net.module.weight.sum().item(), flush=True)
    dist.destroy_process_group()
if __name__ == "__main__":
    mp.spawn(work, args=(2,), nprocs=2)
    print("done")
