from common import *
class Sign(torch.optim.Optimizer):
    def __init__(self, ps, lr=1e-3): super().__init__(ps, dict(lr=lr))
    @torch.no_grad()
    def step(self, closure=None):
        for g in self.param_groups:
            for p in g["params"]: p.sub_(p.grad.sign(), alpha=g["lr"])
class Plain:
    def __init__(self, ps, lr): self.ps = list(ps); self.lr = lr
    def step(self):
        with torch.no_grad():
            for p in self.ps: p -= self.lr * p.grad
    def zero_grad(self):
        for p in self.ps: p.grad = None
a = mlp(); b = mlp(seed=1); oa = Sign(a.parameters()); ob = Plain(b.parameters(), .05)
for x, y in batches(20):
    for net, opt in ((a, oa), (b, ob)):
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(a, b))
