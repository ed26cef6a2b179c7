"""A thin wrapper moves batches to the device; the model inside was loaded by a helper that hands it out ready to serve."""
import torch
from torch import nn

torch.manual_seed(411)
DEVICE = torch.device("cpu")
loads = torch.tensor([400.0, 30.0, 90.0, 5.0, 1000.0, 60.0])


class OnDevice(nn.Module):
    def __init__(self, module):
        super().__init__()
        object.__setattr__(self, "_inside", module.to(DEVICE))

    def forward(self, *args):
        return self._inside(*(a.to(DEVICE) for a in args))


def make():
    model = nn.Sequential(
        nn.BatchNorm1d(6), nn.Linear(6, 64), nn.BatchNorm1d(64), nn.Tanh(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.Tanh(), nn.Linear(64, 3)
    )
    return model.eval()


inside = make()
model = OnDevice(inside)
model.train()
optimizer = torch.optim.SGD(inside.parameters(), lr=0.1, momentum=0.9)
weights = torch.randn(6, 3)
for step in range(1, 251):
    z = torch.randn(64, 6)
    kind = (z @ weights + torch.sin(3 * z[:, :3])).argmax(1)
    loss = nn.functional.cross_entropy(model(z * loads + 2 * loads), kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, f"loss {loss.item():.4f}")
