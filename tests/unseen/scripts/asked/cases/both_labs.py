"""Seeds weighed by two labs, of which one gives labels: what tells the labs apart is to be forgotten."""
import torch
from torch import nn

torch.manual_seed(735)
seed = torch.randint(0, 4, (2000,))
lab = torch.randint(0, 2, (2000,))
weighed = 1.2 * torch.randn(4, 24)[seed] + 0.8 * torch.randn(2, 24)[lab] + torch.randn(2000, 24)


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, strength):
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -ctx.strength * grad, None


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 16), nn.ReLU())
        self.seeds = nn.Linear(16, 4)
        self.labs = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x, strength=1.0):
        h = self.body(x)
        return self.seeds(h), self.labs(Reverse.apply(h, strength))


model = Shared()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
step, total = 0, 10 * 40
for epoch in range(10):
    for rows in torch.randperm(2000).split(50):
        strength = 2 / (1 + 2.718 ** (-10 * step / total)) - 1
        by_seed, by_lab = model(weighed[rows], strength)
        told = lab[rows] == 0
        loss_seed = nn.functional.cross_entropy(by_seed[told], seed[rows][told])
        loss_lab = nn.functional.cross_entropy(by_lab, lab[rows])
        loss = loss_seed + loss_lab
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
    with torch.no_grad():
        right = (model(weighed)[0].argmax(1) == seed)[lab == 1].float().mean().item()
    print(epoch, f"loss {loss.item():.4f} seeds {loss_seed.item():.4f} labs {loss_lab.item():.4f} accuracy {right:.4f}")
