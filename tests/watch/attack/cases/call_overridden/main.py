from common import *
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = nn.Linear(8, 4)
    def __call__(self, x, *a): return super().__call__(x) * 1.5
    def forward(self, x): return self.l(x)
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))
