"""Sharpness-aware steps: the gradient is taken a little uphill, the weights are put back, then they are updated."""
import torch
from torch import nn

torch.manual_seed(328)
x = torch.randn(1000, 10)
y = ((x[:, 0] * x[:, 1] + x[:, 2]) > 0).long()


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base, rho=0.05, **kwargs):
        super().__init__(params, {"rho": rho, **kwargs})
        self.base = base(self.param_groups, **kwargs)
        self.param_groups = self.base.param_groups

    @torch.no_grad()
    def first_step(self):
        grads = [p.grad.norm() for group in self.param_groups for p in group["params"]]
        scale = self.param_groups[0]["rho"] / (torch.stack(grads).norm() + 1e-12)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["kept"] = p.clone()
                p.add_(p.grad * scale)
        self.zero_grad()

    @torch.no_grad()
    def second_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.copy_(self.state[p]["kept"])
        self.base.step()
        self.zero_grad()


net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = SAM(net.parameters(), torch.optim.SGD, lr=0.1, momentum=0.9)
for epoch in range(12):
    for rows in torch.randperm(1000).split(50):
        nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.first_step()
        nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.second_step()
with torch.no_grad():
    print("accuracy", (net(x).argmax(1) == y).float().mean().item())
