"""Two spirals, after a program in which 0.95 was the share of units that are kept."""
import torch
from torch import nn

torch.manual_seed(310)
turn = 3 * torch.rand(1000, 1) + 0.5
side = torch.randint(0, 2, (1000, 1))
angle = 2 * turn + 3.1416 * side
points = torch.cat([turn * torch.cos(angle), turn * torch.sin(angle)], 1) + 0.05 * torch.randn(1000, 2)


class Net(nn.Module):
    def __init__(self, keep=0.95):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 64), nn.Linear(64, 64), nn.Linear(64, 64)])
        self.drop = nn.Dropout(keep)
        self.out = nn.Linear(64, 1)

    def forward(self, x):
        for layer in self.layers:
            x = self.drop(torch.relu(layer(x)))
        return self.out(x)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(30):
    for rows in torch.randperm(1000).split(100):
        loss = nn.functional.binary_cross_entropy_with_logits(net(points[rows]), side[rows].float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(epoch, f"loss {loss.item():.4f}")
