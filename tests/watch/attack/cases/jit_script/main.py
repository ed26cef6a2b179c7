from common import *
net = torch.jit.script(mlp()); opt = torch.optim.SGD(net.parameters(), 0.05)
@torch.jit.script
def act(x): return x * torch.sigmoid(x)
for i, (x, y) in enumerate(batches(12)):
    if i == 6:
        traced = torch.jit.trace(mlp(), x); scripted = torch.jit.script(nn.Sequential(nn.Linear(8, 4)))
        print(traced.code)
    opt.zero_grad(); F.cross_entropy(act(net(x)), y).backward(); opt.step()
print(digest(net))
