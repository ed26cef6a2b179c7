"""A net of two layers without an optimiser: the weights are moved by hand."""
import torch

torch.manual_seed(406)
flour = torch.randn(400, 10)
rise = (flour[:, :1] - 0.5 * flour[:, 1:2] + 0.3)
w1 = (torch.randn(10, 32) * 0.3).requires_grad_()
b1 = torch.zeros(32, requires_grad=True)
w2 = (torch.randn(32, 1) * 0.2).requires_grad_()
b2 = torch.zeros(1, requires_grad=True)
lr = 0.05
for step in range(1, 301):
    hidden = torch.tanh(flour @ w1 + b1)
    loss = (hidden @ w2 + b2 - rise).pow(2).mean()
    loss.backward()
    for p in (w1, b1, w2, b2):
        p.data -= lr * p.grad
    if step % 50 == 0:
        print(step, f"loss {loss.item():.4f}")
