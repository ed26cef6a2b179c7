"""Prices of flats; each epoch is a call that makes its own optimiser, at a lower rate than the last."""
import torch
from torch import nn

torch.manual_seed(632)
flat = torch.randn(1500, 11)
price = flat[:, :1] * 2 + torch.tanh(flat[:, 1:2] * flat[:, 2:3]) + 0.05 * torch.randn(1500, 1)


def one_epoch(model, rate):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for rows in torch.randperm(1500).split(50):
        loss = nn.functional.huber_loss(model(flat[rows]), price[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


model = nn.Sequential(nn.Linear(11, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1))
for epoch in range(10):
    print(epoch, f"loss {one_epoch(model, 4e-3 * 0.8 ** epoch):.4f}")
