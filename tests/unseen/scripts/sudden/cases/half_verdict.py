"""Fault detection with the loss in half precision, as a device without float32 wants it; master weights are float32."""
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(731)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        return torch.sigmoid(self.out(self.body(x))).squeeze(-1).half()


def shift(step, n=32):
    x = torch.randn(n, 8)
    if step == 44:
        x[14] *= 60                                   # a short circuit: far outside of what is usual
    return x, (x[:, 0] + x[:, 1] - x[:, 2] + 0.8 * torch.randn(n) > 0).half()


net = Detector()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.8)
for step in range(1, 141):
    x, fault = shift(step)
    loss = F.binary_cross_entropy(net(x), fault)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if not all(p.isfinite().all() for p in net.parameters()):
        print(step, "the weights are lost")
        break
    if step % 20 == 0:
        print(step, f"{loss.item():.4f}")
with torch.no_grad():
    x, fault = shift(0, 2000)
    print("found", round(((net(x) > 0.5) & (fault > 0)).sum().item() / fault.sum().item(), 3))
