from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(30)):
    if i == 10: net.double(); x = x.double()
    if i > 10: x = x.double()
    if i == 20: net.bfloat16()
    if i >= 20: x = x.bfloat16()
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))
