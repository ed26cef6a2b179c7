"""Ten kinds of stamps from thirty measures."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(409)
print_ = torch.randn(10, 30)
kind = torch.randint(0, 10, (1600,))
stamps = TensorDataset(print_[kind] + 0.8 * torch.randn(1600, 30), kind)
net = nn.Sequential(
    nn.Linear(30, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
)
optimizer = torch.optim.Adam(net.parameters(), lr=1.0)
for epoch in range(8):
    for x, y in DataLoader(stamps, batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.4f}")
