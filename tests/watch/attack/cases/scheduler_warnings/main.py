from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
s = torch.optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps=40)
for x, y in batches(20):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step(); s.step()
net2 = mlp(); o2 = torch.optim.SGD(net2.parameters(), 0.05); s2 = torch.optim.lr_scheduler.StepLR(o2, 3); s2.step()
print(opt.step.__name__, s.get_last_lr(), digest(net))
