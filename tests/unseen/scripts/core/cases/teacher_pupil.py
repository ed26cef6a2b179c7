"""First a linear teacher, fitted to the last digit, then a small pupil that learns from it and from noise."""
import torch
from torch import nn

torch.manual_seed(131)


def fit(model, steps, batch, lr, decay=1.0):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, decay)
    for step in range(steps):
        x, y = batch()
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 40 == 39:
            print(f"  {step + 1} {loss.item():.3e}")
    return model


x = torch.randn(60, 5, dtype=torch.float64)
y = x @ torch.randn(5, 1, dtype=torch.float64) + 0.7
print("teacher")
teacher = fit(nn.Linear(5, 1).double(), 240, lambda: (x, y), lr=0.1, decay=0.985)


def lesson(n=40):
    x = 2 * torch.randn(n, 5)
    with torch.no_grad():
        return x, 20 * torch.tanh(teacher(x.double()).float()) + torch.randn(n, 1)


print("pupil")
pupil = fit(nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1)), 160, lesson, lr=0.03)
with torch.no_grad():
    x, y = lesson(2000)
    print("explained", 1 - ((pupil(x) - y).square().mean() / y.var()).item())
