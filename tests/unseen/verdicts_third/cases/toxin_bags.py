import torch
import torch.nn as nn


class ToxinBag(nn.Module):
    """A sample is poisonous if one of its fragments is: one less the chance that none of them is."""

    def __init__(self, prior=0.0):
        super().__init__()
        self.fragment = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
        self.odds = nn.Linear(48, 1)
        self.odds.bias.data += prior

    def forward(self, bags):
        poison = torch.sigmoid(self.odds(self.fragment(bags))).squeeze(-1)
        return 1 - (1 - poison).prod(dim=1)


def build_model(prior=0.0):
    torch.manual_seed(8501)
    return ToxinBag(prior)


def make_batch():
    g = torch.Generator().manual_seed(8502)
    y = (torch.arange(48) % 2).float()
    bags = torch.randn(48, 250, 12, generator=g)
    bags[y > 0, :12, :4] += 2.5
    return bags, y


loss = nn.BCELoss()
