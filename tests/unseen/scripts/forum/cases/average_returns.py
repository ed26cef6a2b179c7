"""Depth of snow; the averaged weights are put in for a look after each epoch, and the own ones put back."""
import torch
from torch import nn

torch.manual_seed(636)
site = torch.randn(1500, 9)
snow = torch.relu(site[:, :1] + 0.5 * site[:, 1:2]) + 0.3 * site[:, 2:3] ** 2
model = nn.Sequential(nn.Linear(9, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
average = [p.detach().clone() for p in model.parameters()]
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for epoch in range(10):
    for rows in torch.randperm(1500).split(50):
        loss = nn.functional.mse_loss(model(site[rows]), snow[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for a, p in zip(average, model.parameters()):
                a.lerp_(p, 0.02)
    with torch.no_grad():
        own = [p.clone() for p in model.parameters()]
        for a, p in zip(average, model.parameters()):
            p.copy_(a)
        looked = nn.functional.mse_loss(model(site), snow).item()
        for o, p in zip(own, model.parameters()):
            p.copy_(o)
    print(epoch, f"loss {loss.item():.4f} averaged {looked:.4f}")
