"""Prices of flats, in hundred thousands, from eight figures about them."""
import argparse

import torch
from torch import nn


def load(n=4160):
    g = torch.Generator().manual_seed(5)
    x = torch.randn(n, 8, generator=g)
    y = 2.5 + x[:, 0] + 0.6 * torch.relu(x[:, 1] + x[:, 2]) - 0.4 * x[:, 3] * x[:, 4] + 0.05 * torch.randn(n, generator=g)
    y[89 * 32 + 6] = 700.0                   # typed without the point
    return x, y


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--lr", type=float, default=0.02)
    p.add_argument("--epochs", type=int, default=2)
    a = p.parse_args()
    torch.manual_seed(1110)
    x, y = load()
    net = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=a.lr, momentum=0.9)
    for epoch in range(a.epochs):
        losses = []
        for k in range(0, len(x), 32):
            loss = nn.functional.mse_loss(net(x[k:k + 32]).squeeze(1), y[k:k + 32])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(epoch, "median loss", sorted(losses)[len(losses) // 2], "last", losses[-1])


main()
