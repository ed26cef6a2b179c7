import inspect, pickle, sys
from common import *
print(sys.argv[1:], __name__, [p for p in sys.path if "gradcheck" in p or "boot" in p])
print(inspect.signature(torch.Tensor.backward), torch.Tensor.backward.__name__, torch.autograd.grad.__module__)
print(inspect.signature(nn.Module.__call__), nn.Module.__call__.__qualname__, inspect.signature(torch.optim.SGD.step))
print(pickle.loads(pickle.dumps(torch.autograd.backward)) is torch.autograd.backward)
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(sorted(vars(opt)), sorted(vars(net)), len(net._forward_hooks), digest(net))
