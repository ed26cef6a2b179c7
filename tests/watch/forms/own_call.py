"""A class that does more around the call of a module, and keeps count in globals, in its class and in a closure."""
import torch
from torch import nn

calls, seen = 0, []


def counting():
    count = 0

    def counted():
        nonlocal count
        count += 1
        return count

    return counted


counted = counting()


class Net(nn.Module):
    total = 0

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(4, 3)

    def __call__(self, x):
        return 1.5 * super().__call__(x)

    def note(self):
        global calls
        calls += 1
        Net.total += 1
        seen.append(calls)

    def forward(self, x):
        self.note()
        counted()
        return self.line(x)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(7):
    loss = net(torch.randn(8, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(calls, Net.total, seen, counted())
