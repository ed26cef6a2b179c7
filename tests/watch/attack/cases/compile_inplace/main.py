from common import *
net = mlp(); net.compile(backend="aot_eager"); opt = torch.optim.SGD(net.parameters(), 0.05)
opt.step = torch.compile(opt.step, backend="aot_eager")
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))
