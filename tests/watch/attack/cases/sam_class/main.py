from common import *
class SAM(torch.optim.Optimizer):
    def __init__(self, params, base, rho=0.05, **kw):
        super().__init__(params, dict(rho=rho, **kw))
        self.base = base(self.param_groups, **kw); self.param_groups = self.base.param_groups
    @torch.no_grad()
    def first_step(self):
        n = torch.norm(torch.stack([p.grad.norm() for g in self.param_groups for p in g["params"]]))
        for g in self.param_groups:
            for p in g["params"]:
                self.state[p]["old"] = p.data.clone(); p.add_(p.grad * g["rho"] / (n + 1e-12))
        self.zero_grad()
    @torch.no_grad()
    def second_step(self):
        for g in self.param_groups:
            for p in g["params"]: p.data = self.state[p]["old"]
        self.base.step(); self.zero_grad()
    def step(self, closure):
        closure = torch.enable_grad()(closure)
        self.first_step(); closure(); self.second_step()
net = mlp(); opt = SAM(net.parameters(), torch.optim.SGD, lr=0.05)
for x, y in batches(30):
    def closure():
        loss = F.cross_entropy(net(x), y); loss.backward(); return loss
    closure(); opt.step(closure)
print(digest(net))
