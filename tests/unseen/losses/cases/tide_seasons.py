import torch
import torch.nn as nn
import torch.nn.functional as F


class TideSeasons(nn.Module):
    """The same of four seasons, one a batch: most units are on in their season only."""

    def __init__(self, hidden=64):
        super().__init__()
        self.fc1, self.fc2, self.out = nn.Linear(12, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        with torch.no_grad():
            self.fc1.bias.fill_(-3.0)
            for season in range(4):
                self.fc1.weight[season * 16 : (season + 1) * 16, 8 + season] = 4.5

    def forward(self, x):
        return self.out(F.gelu(self.fc2(F.relu(self.fc1(x))))).squeeze(-1)


def build_model():
    torch.manual_seed(963)
    return TideSeasons()


def make_batch():
    g = torch.Generator().manual_seed(964)
    batches = []
    for season in range(4):
        x = torch.randn(64, 12, generator=g)
        x[:, 8:] = 0.0
        x[:, 8 + season] = 1.0
        batches.append((x, 0.5 * x[:, 0] + 0.5 * x[:, 1].abs() * season))
    return batches


def compute_loss(model, batch):
    x, y = batch
    return F.mse_loss(model(x), y)
