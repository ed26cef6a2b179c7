from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
buf = torch.empty(16, 8); yy = torch.empty(16, dtype=torch.long)
for x, y in batches(12):
    buf.copy_(x); yy.copy_(y)
    out = net(buf * 1.0)
    buf.mul_(2)
    loss = F.cross_entropy(out, yy)
    opt.zero_grad(); loss.backward()
    yy.zero_(); buf.zero_()
    opt.step()
print(digest(net))
