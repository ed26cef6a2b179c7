from common import *
from torch.profiler import profile, ProfilerActivity
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
with profile(activities=[ProfilerActivity.CPU]) as p:
    for x, y in batches(6):
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print([(e.key, e.count) for e in p.key_averages() if e.key in ("aten::addmm", "aten::nll_loss_forward")], digest(net))
