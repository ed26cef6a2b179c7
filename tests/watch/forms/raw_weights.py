"""Weights that are plain tensors, used before any module."""
import torch

w1 = (torch.randn(3, 8) * 0.5).requires_grad_()
b1 = torch.zeros(8, requires_grad=True)
w2 = torch.randn(8, 1, requires_grad=True)
for step in range(9):
    x = torch.randn(16, 3)
    loss = ((torch.relu(x @ w1 + b1) @ w2) - x.sum(1, keepdim=True)).square().mean()
    loss.backward()
    with torch.no_grad():
        for w in (w1, b1, w2):
            w -= 0.02 * w.grad
            w.grad = None
