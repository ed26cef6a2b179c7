import torch
import torch.nn as nn


class LeakAlarm(nn.Module):
    """One probability per pipe segment; leaks are rare."""

    def __init__(self, n_in=16, hidden=32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_in, hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 1), nn.Sigmoid())

    def forward(self, x):
        return self.layers(x).squeeze(-1)


def build_model():
    torch.manual_seed(530)
    return LeakAlarm()


def make_batch(n=512):
    g = torch.Generator().manual_seed(531)
    x = torch.randn(n, 16, generator=g)
    s = x[:, 0] + x[:, 1] - 0.5 * x[:, 2]
    return x, (s > s.quantile(0.85)).float()


criterion = nn.BCEWithLogitsLoss()


def compute_loss(model, batch):
    x, y = batch
    return criterion(model(x), y)
