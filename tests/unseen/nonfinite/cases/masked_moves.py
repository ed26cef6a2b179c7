import torch
import torch.nn as nn
from torch.distributions import Categorical


class BoardPolicy(nn.Module):
    def __init__(self, n=27, d=48, moves=9):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n, d), nn.ReLU(), nn.Linear(d, d), nn.ReLU())
        self.pi, self.v = nn.Linear(d, moves), nn.Linear(d, 1)

    def forward(self, board, legal):
        h = self.body(board)
        logits = self.pi(h).masked_fill(~legal, torch.finfo(h.dtype).min)
        return Categorical(logits=logits), self.v(h).squeeze(1)


def build_model():
    torch.manual_seed(631)
    return BoardPolicy()


def make_batch():
    g = torch.Generator().manual_seed(632)
    legal = torch.rand(20, 9, generator=g) < 0.5
    legal[:, 4] = True
    legal[6] = torch.arange(9) == 2
    move = torch.multinomial(legal.float(), 1, generator=g).squeeze(1)
    return torch.randn(20, 27, generator=g), legal, move, torch.randn(20, generator=g)


def compute_loss(model, batch):
    board, legal, move, ret = batch
    dist, value = model(board, legal)
    adv = (ret - value).detach()
    return -(dist.log_prob(move) * adv).mean() + 0.5 * (value - ret).square().mean() - 0.01 * dist.entropy().mean()
