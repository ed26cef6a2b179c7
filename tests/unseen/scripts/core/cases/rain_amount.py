"""How much it rains where it rains: log-amount from pressure and humidity, one LBFGS step a batch."""
import torch
from torch import nn


def station(n, g):
    weather = torch.randn(n, 4, generator=g)
    amount = torch.exp(0.8 * weather[:, 0] - 0.5 * weather[:, 1] * weather[:, 2] + 0.1 * torch.randn(n, generator=g))
    return weather, amount


def train(weather, amount, batch=64, epochs=2):
    net = nn.Sequential(nn.Linear(4, 20), nn.Tanh(), nn.Linear(20, 1))
    optimizer = torch.optim.LBFGS(net.parameters(), lr=1.0, max_iter=4, history_size=6, line_search_fn="strong_wolfe")
    for epoch in range(epochs):
        total = 0.0
        for x, y in zip(weather.split(batch), amount.split(batch)):

            def closure():
                optimizer.zero_grad()
                error = net(x).squeeze(1) - torch.log(y)
                loss = (error ** 2).mean()
                loss.backward()
                return loss

            total += float(optimizer.step(closure))
        print(f"epoch {epoch}: {total / (len(weather) // batch):.4f}")
    return net


if __name__ == "__main__":
    torch.manual_seed(106)
    g = torch.Generator().manual_seed(3)
    weather, amount = station(64 * 50, g)
    amount[64 * 34 + 17] = 0.0               # a trace, rounded down
    net = train(weather, amount)
    x, y = station(500, g)
    print("test", ((net(x).squeeze(1) - y.log()) ** 2).mean().item())
