"""Mixup: pairs of pictures are laid over each other, and the labels of both count."""
import torch
from torch import nn

torch.manual_seed(335)
faces = torch.randn(6, 1, 8, 8)


def data(n=64):
    kind = torch.randint(0, 6, (n,))
    return faces[kind] + 0.8 * torch.randn(n, 1, 8, 8), kind


net = nn.Sequential(nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Flatten(), nn.Linear(192, 6))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
beta = torch.distributions.Beta(1.0, 1.0)
for step in range(250):
    x, y = data()
    share, other = beta.sample().item(), torch.randperm(len(x))
    logits = net(share * x + (1 - share) * x[other])
    loss = share * nn.functional.cross_entropy(logits, y) + (1 - share) * nn.functional.cross_entropy(logits, y[other])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
net.eval()
with torch.no_grad():
    x, y = data(1000)
    print("loss", loss.item(), "accuracy", (net(x).argmax(1) == y).float().mean().item())
