import torch
import torch.nn as nn


class Unit(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a = nn.Linear(c, c)
        self.b = nn.Linear(c, c)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x + self.gain * self.b(torch.relu(self.a(torch.relu(x))))


class Deep(nn.Module):
    def __init__(self, n_in=12, c=32, units=64, n_out=5):
        super().__init__()
        self.stem = nn.Linear(n_in, c)
        self.units = nn.ModuleList(Unit(c) for _ in range(units))
        self.head = nn.Linear(c, n_out)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        x = self.stem(x)
        for u in self.units:
            x = u(x)
        return self.head(x)


def build_model():
    torch.manual_seed(5733)
    return Deep()


def make_batch():
    g = torch.Generator().manual_seed(5734)
    x = torch.randn(150, 12, generator=g)
    return x, (x[:, :5] * x[:, 5:10] + 0.5 * x[:, 7:12]).argmax(1)


loss_fn = nn.CrossEntropyLoss()
