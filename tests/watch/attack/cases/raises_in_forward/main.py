from common import *
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp(); self.n = 0
    def forward(self, x):
        self.n += 1
        if self.n == 9: raise LookupError("ninth")
        return self.l(x)
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
