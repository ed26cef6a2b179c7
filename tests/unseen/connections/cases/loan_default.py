import torch
import torch.nn as nn
import torch.nn.functional as F


class LoanNet(nn.Module):
    """Ratios of the applicant, and the yearly income in dollars."""

    def __init__(self, n_in=8, hidden=48):
        super().__init__()
        self.fc1 = nn.Linear(n_in, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 2)

    def forward(self, x):
        h = torch.tanh(self.fc1(x))
        h = torch.tanh(self.fc2(h))
        return self.fc3(h)


def build_model():
    torch.manual_seed(580)
    return LoanNet()


def make_batch(n=256):
    g = torch.Generator().manual_seed(581)
    ratios = torch.randn(n, 7, generator=g)
    income = 40000 + 9000 * torch.randn(n, 1, generator=g)
    y = (ratios[:, 0] + ratios[:, 1] - ratios[:, 2] > 0).long()
    return torch.cat([ratios, income], 1), y


def compute_loss(model, batch):
    x, y = batch
    return F.cross_entropy(model(x), y)
