import os, torch.distributed as dist
from common import *
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29612", RANK="0", WORLD_SIZE="1")
dist.init_process_group("gloo")
from torch.distributed.tensor import distribute_module, init_device_mesh, distribute_tensor
mesh = init_device_mesh("cpu", (1,))
net = distribute_module(mlp(), mesh)
opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    out = net(distribute_tensor(x, mesh)).full_tensor()
    opt.zero_grad(); loss = F.cross_entropy(out, y); loss.backward(); opt.step()
print(loss.item())
dist.destroy_process_group()
