"""Fine-tune on small batches: BatchNorm keeps the statistics of the pretraining, the rest learns."""
import torch
from torch import nn

torch.manual_seed(227)
PROTO = torch.randn(12, 1, 10, 10)


def images(classes, n):
    y = torch.randint(0, len(classes), (n,))
    return PROTO[torch.tensor(classes)[y]] + 0.7 * torch.randn(n, 1, 10, 10), y


def run(net, optimizer, classes, n, steps, name):
    for step in range(steps):
        x, y = images(classes, n)
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(name, f"{loss.item():.3f}")


net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(576, 6))
run(net, torch.optim.Adam(net.parameters(), lr=2e-3), list(range(6)), 64, 60, "pretraining")

net[-1] = nn.Linear(576, 6)
net.eval()                                   # BatchNorm: running statistics, not those of four pictures
run(net, torch.optim.Adam(net.parameters(), lr=5e-4), list(range(6, 12)), 4, 240, "fine-tuning")
with torch.no_grad():
    x, y = images(list(range(6, 12)), 1000)
    print("accuracy", (net(x).argmax(1) == y).float().mean().item())
