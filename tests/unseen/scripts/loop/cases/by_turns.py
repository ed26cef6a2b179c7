"""One body, two heads, two tasks by turns: a class (cross entropy) and an amount in hundreds (squared error)."""
import torch
from torch import nn

torch.manual_seed(229)


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 64), nn.ReLU())
        self.heads = nn.ModuleDict({"kind": nn.Linear(64, 3), "amount": nn.Linear(64, 1)})

    def forward(self, x, task):
        return self.heads[task](self.body(x))


def kinds(n=64):
    x = torch.randn(n, 10)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()


def amounts(n=64):
    x = torch.randn(n, 10)
    return x, 10 * x[:, :1].abs() + 5 * x[:, 1:2] + torch.randn(n, 1)


net = Shared()
optimizer = torch.optim.Adam(net.parameters(), lr=8e-3)
for step in range(1, 301):
    if step % 2:
        x, y = kinds()
        loss = nn.functional.cross_entropy(net(x, "kind"), y)
    else:
        x, y = amounts()
        loss = nn.functional.mse_loss(net(x, "amount"), y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if step % 50 in (0, 49):
        print(step, f"{loss.item():.3f}")
with torch.no_grad():
    (a, k), (b, m) = kinds(2000), amounts(2000)
    print("kinds", (net(a, "kind").argmax(1) == k).float().mean().item(), "amounts", 1 - ((net(b, "amount") - m).square().mean() / m.var()).item())
