"""Half of the units are cut away in the middle of the training and stay away."""
import torch
from torch import nn

torch.manual_seed(422)
kind_of = torch.randn(5, 14)


def batch(n=64):
    kind = torch.randint(0, 5, (n,))
    return kind_of[kind] + 0.8 * torch.randn(n, 14), kind


net = nn.Sequential(nn.Linear(14, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
keep = {}
for step in range(1, 361):
    if step == 150:
        for layer in (net[0], net[2]):
            size = layer.weight.detach().norm(dim=1)
            keep[layer] = (size > size.median()).float()
    x, kind = batch()
    loss = nn.functional.cross_entropy(net(x), kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for layer, mask in keep.items():
            layer.weight.mul_(mask[:, None])
            layer.bias.mul_(mask)
    if step % 60 == 0:
        print(step, f"loss {loss.item():.4f}")
