from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
n = 0
for i, (x, y) in enumerate(batches(20)):
    try:
        if i % 5 == 4: net(torch.randn(16, 9))
        if i % 7 == 6: net(x) @ torch.empty(1 << 50)
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    except RuntimeError: n += 1
print(n, digest(net))
