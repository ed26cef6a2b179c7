"""Sanity check before the long run: can the net learn one batch by heart?"""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(225)
data = TensorDataset(torch.randn(512, 3, 8, 8), torch.randint(0, 10, (512,)))
x, y = next(iter(DataLoader(data, batch_size=32, shuffle=True)))
net = nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24 * 16, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(1, 121):
    out = net(x)
    loss = nn.functional.cross_entropy(out, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(step, f"loss {loss.item():.5f}", f"by heart {(out.argmax(1) == y).float().mean().item():.2f}")
