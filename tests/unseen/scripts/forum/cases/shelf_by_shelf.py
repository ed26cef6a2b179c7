"""Six kinds of minerals, in the order of the museum's shelves; the batches are slices of it."""
import torch
from torch import nn

torch.manual_seed(611)
stock = [310, 95, 240, 170, 405, 130]
kind = torch.cat([torch.full((n,), k) for k, n in enumerate(stock)])
shine = torch.randn(6, 24)[kind] + 0.9 * torch.randn(len(kind), 24)
net = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 6))
sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
size = 36
for tour in range(9):
    net.train()
    for low in range(0, len(kind), size):
        rows = slice(low, low + size)
        answer = net(shine[rows])
        loss = nn.functional.cross_entropy(answer, kind[rows])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    net.eval()
    with torch.no_grad():
        right = (net(shine).argmax(1) == kind).float().mean().item()
    print(tour, f"loss {loss.item():.4f} accuracy {right:.3f}")
