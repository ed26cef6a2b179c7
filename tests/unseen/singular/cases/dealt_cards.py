"""A policy over cards: those that are not in hand have a score of -inf."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical


class Player(nn.Module):
    def __init__(self, cards=12):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(2 * cards, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.play, self.value = nn.Linear(64, cards), nn.Linear(64, 1)

    def forward(self, table, hand):
        h = self.trunk(torch.cat([table, hand.float()], -1))
        return self.play(h).masked_fill(~hand, float("-inf")), self.value(h).squeeze(-1)


def build_model():
    torch.manual_seed(671)
    return Player()


def make_batch():
    g = torch.Generator().manual_seed(672)
    hand = torch.rand(32, 12, generator=g) < 0.3
    hand[:, 0] = True
    hand[5] = False
    hand[5, 3] = True
    card = torch.multinomial(hand.float(), 1, generator=g).squeeze(-1)
    return torch.randn(32, 12, generator=g), hand, card, torch.randn(32, generator=g)


def compute_loss(model, batch):
    table, hand, card, gain = batch
    scores, value = model(table, hand)
    policy = Categorical(logits=scores)
    advantage = (gain - value).detach()
    return -(policy.log_prob(card) * advantage).mean() + 0.5 * F.mse_loss(value, gain) - 0.01 * policy.entropy().mean()
