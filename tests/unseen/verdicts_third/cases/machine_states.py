import torch
import torch.nn as nn


class MachineStates(nn.Module):
    """A hidden Markov model whose emissions a small network makes of each state's embedding."""

    def __init__(self, states=5, symbols=16):
        super().__init__()
        self.prior = nn.Parameter(0.1 * torch.randn(states))
        self.moves = nn.Parameter(0.1 * torch.randn(states, states))
        self.state = nn.Parameter(torch.randn(states, 8))
        self.emit = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, symbols))

    def forward(self, codes):
        seen = self.emit(self.state).softmax(1)
        moves = self.moves.softmax(1)
        alpha = self.prior.softmax(0) * seen[:, codes[:, 0]].T
        for t in range(1, codes.shape[1]):
            alpha = (alpha @ moves) * seen[:, codes[:, t]].T
        return alpha.sum(1)


def build_model():
    torch.manual_seed(8301)
    return MachineStates()


def make_batch():
    g = torch.Generator().manual_seed(8302)
    codes = torch.zeros(24, 90, dtype=torch.long)
    mode = torch.randint(0, 4, (24,), generator=g)
    for t in range(90):
        stay = torch.rand(24, generator=g) < 0.9
        mode = torch.where(stay, mode, torch.randint(0, 4, (24,), generator=g))
        codes[:, t] = mode * 4 + torch.randint(0, 4, (24,), generator=g)
    return codes


def compute_loss(model, codes):
    return -torch.log(model(codes) + 1e-12).mean()
