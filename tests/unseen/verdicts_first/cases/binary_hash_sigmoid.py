"""Binary vectors to a real number, four hidden layers."""
import torch
import torch.nn as nn

hidden = 96


def build_model():
    torch.manual_seed(16557)
    net = nn.Sequential(
        nn.Linear(40, hidden), nn.Sigmoid(),
        nn.Linear(hidden, hidden), nn.Sigmoid(),
        nn.Linear(hidden, hidden), nn.Sigmoid(),
        nn.Linear(hidden, hidden), nn.Sigmoid(),
        nn.Linear(hidden, 1),
    )
    for m in net:
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)
    return net


def make_batch(n=160):
    g = torch.Generator().manual_seed(40)
    x = (torch.rand(n, 40, generator=g) < 0.5).float()
    w = torch.randn(40, 1, generator=g)
    y = x @ w
    return x, (y - y.mean()) / y.std()


loss = nn.MSELoss()
