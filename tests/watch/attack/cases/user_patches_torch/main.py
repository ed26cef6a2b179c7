from common import *
n = [0, 0]
rb, rc = torch.Tensor.backward, nn.Module.__call__
def mine(self, *a, **k): n[0] += 1; return rb(self, *a, **k)
def call(self, *a, **k): n[1] += 1; return rc(self, *a, **k)
torch.Tensor.backward = mine; nn.Module.__call__ = call
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(12)):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    if i == 6: torch.Tensor.backward, nn.Module.__call__ = rb, rc
print(n, digest(net))
