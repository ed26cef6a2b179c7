import torch
import torch.nn as nn
import torch.nn.functional as F


class TideUnits(nn.Module):
    """Height of the tide from twelve readings."""

    def __init__(self, hidden=64, start=-3.0):
        super().__init__()
        self.fc1, self.fc2, self.out = nn.Linear(12, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        with torch.no_grad():
            self.fc1.bias[: hidden * 7 // 8] = start

    def forward(self, x):
        return self.out(F.gelu(self.fc2(F.relu(self.fc1(x))))).squeeze(-1)


def build_model():
    torch.manual_seed(961)
    return TideUnits()


def make_batch():
    g = torch.Generator().manual_seed(962)
    batches = []
    for _ in range(4):
        x = torch.randn(64, 12, generator=g)
        batches.append((x, torch.sin(3 * x[:, 0]) * x[:, 1] + torch.sin(2 * x[:, 2] * x[:, 3])))
    return batches


def compute_loss(model, batch):
    x, y = batch
    return F.mse_loss(model(x), y)
