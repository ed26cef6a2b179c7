from common import *
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
class A(TorchFunctionMode):
    n = 0
    def __torch_function__(self, f, t, a=(), k=None): A.n += 1; return f(*a, **(k or {}))
class B(TorchDispatchMode):
    n = 0
    def __torch_dispatch__(self, f, t, a=(), k=None): B.n += 1; return f(*a, **(k or {}))
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(9)):
    with (A() if i % 3 == 0 else B() if i % 3 == 1 else FlopCounterMode(display=False)) as m:
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    if i % 3 == 2: print(m.get_total_flops())
print(A.n, B.n, digest(net))
