from common import *
class Logged(torch.Tensor):
    calls = []
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.calls.append(getattr(func, "__name__", "?"))
        return super().__torch_function__(func, types, args, kwargs or {})
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    out = net(x.as_subclass(Logged))
    opt.zero_grad(); F.cross_entropy(out, y).backward(); opt.step()
print(len(Logged.calls), Logged.calls[-8:], digest(net))
