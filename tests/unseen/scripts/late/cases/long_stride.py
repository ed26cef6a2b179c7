"""Three kinds of seeds, by a loop that updates the parameters itself."""
import torch
from torch import nn

torch.manual_seed(407)
centre = 1.2 * torch.randn(3, 9)
kind = torch.randint(0, 3, (1200,))
seeds = centre[kind] + torch.randn(1200, 9)
net = nn.Sequential(nn.Linear(9, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 3))
lr = 4.0
step = 0
for epoch in range(10):
    for rows in torch.randperm(1200).split(48):
        net.zero_grad()
        loss = nn.functional.cross_entropy(net(seeds[rows]), kind[rows])
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= lr * p.grad
        step += 1
    print(epoch, f"loss {loss.item():.4f}")
