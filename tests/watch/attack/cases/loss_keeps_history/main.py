from common import *
class Loss:
    def __init__(self): self.values = []; self.ema = None
    def __call__(self, out, y):
        l = F.cross_entropy(out, y); self.values.append(l.item())
        self.ema = l.detach() if self.ema is None else .9 * self.ema + .1 * l.detach()
        return l / self.ema
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05); loss_fn = Loss()
for x, y in batches(12):
    opt.zero_grad(); loss_fn(net(x), y).backward(); opt.step()
print(len(loss_fn.values), loss_fn.ema.item(), digest(net))
