"""Logistic regression and a small hidden layer without torch.optim: the step is taken under no_grad."""
import torch
from torch import nn

torch.manual_seed(228)
x = torch.randn(2000, 8)
y = ((x[:, 0] + x[:, 1] * x[:, 2]) > 0).float()
model = nn.Sequential(nn.Linear(8, 40), nn.Tanh(), nn.Linear(40, 1))
velocity = [torch.zeros_like(p) for p in model.parameters()]
rate, drag = 0.1, 0.9
step = 0
for epoch in range(5):
    for rows in torch.randperm(2000).split(40):
        step += 1
        loss = nn.functional.binary_cross_entropy_with_logits(model(x[rows]).squeeze(1), y[rows])
        loss.backward()
        with torch.no_grad():
            for p, v in zip(model.parameters(), velocity):
                v.mul_(drag).add_(p.grad)
                p.sub_(rate * v)
                p.grad = None
        if step % 25 == 0:
            print(step, f"{loss.item():.4f}")
with torch.no_grad():
    t = torch.randn(2000, 8)
    print("accuracy", ((model(t).squeeze(1) > 0) == (t[:, 0] + t[:, 1] * t[:, 2] > 0)).float().mean().item())
