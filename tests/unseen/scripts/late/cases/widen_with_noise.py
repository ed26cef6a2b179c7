"""A net is made wider on the way; the copies are shaken a little, so that they part."""
import torch
from torch import nn

torch.manual_seed(423)


def sample(n=96):
    x = torch.randn(n, 5)
    return x, torch.cos(2 * x[:, :1]) * x[:, 1:2] + 0.5 * x[:, 2:3]


def wider(layer_in, layer_out, width, noise=0.05):
    pick = torch.randint(0, layer_in.out_features, (width,))
    counts = torch.bincount(pick, minlength=layer_in.out_features).float()
    new_in, new_out = nn.Linear(layer_in.in_features, width), nn.Linear(width, layer_out.out_features)
    with torch.no_grad():
        new_in.weight.copy_(layer_in.weight[pick] + noise * torch.randn(width, layer_in.in_features))
        new_in.bias.copy_(layer_in.bias[pick])
        new_out.weight.copy_((layer_out.weight / counts.clamp(min=1))[:, pick])
        new_out.bias.copy_(layer_out.bias)
    return nn.Sequential(new_in, nn.Tanh(), new_out)


net = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=8e-3)
for step in range(1, 421):
    if step == 140:
        net = wider(net[0], net[2], 72)
        optimizer = torch.optim.Adam(net.parameters(), lr=8e-3)
    x, y = sample()
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 70 == 0:
        print(step, f"loss {loss.item():.4f}")
