"""A small net learns first; then its hidden layer is made wider and it goes on."""
import torch
from torch import nn

torch.manual_seed(403)


def sample(n=128):
    x = torch.randn(n, 6)
    return x, (torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3] + x[:, 3:4].abs())


def widen(first, second, width):
    pick = torch.arange(width) % first.out_features
    wide, after = nn.Linear(first.in_features, width), nn.Linear(width, second.out_features)
    with torch.no_grad():
        wide.weight.copy_(first.weight[pick])
        wide.bias.copy_(first.bias[pick])
        after.weight.copy_(second.weight[:, pick] * first.out_features / width)
        after.bias.copy_(second.bias)
    return nn.Sequential(wide, nn.Tanh(), after)


net = nn.Sequential(nn.Linear(6, 2), nn.Tanh(), nn.Linear(2, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(1, 451):
    if step == 121:
        net = widen(net[0], net[2], 64)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    x, y = sample()
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, f"loss {loss.item():.4f}")
