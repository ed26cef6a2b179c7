import math
import sys
import torch
import torch.nn as nn
from torch.distributions import Normal


class Actor(nn.Module):
    def __init__(self, obs=14, act=4, d=48, limit=2.0):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(obs, d), nn.ReLU(), nn.Linear(d, d), nn.ReLU())
        self.mu, self.sigma = nn.Linear(d, act), nn.Linear(d, act)
        self.limit = limit
        self.noise = 1e-6

    def sample(self, obs):
        h = self.body(obs)
        dist = Normal(self.mu(h), self.sigma(h).clamp(-4, 1).exp())
        raw = dist.rsample()
        action = torch.tanh(raw) * self.limit
        logp = dist.log_prob(raw)
        logp = logp - torch.log(1 - action.pow(2) + self.noise)
        return action, logp.sum(1)


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = Actor()
        self.q = nn.Sequential(nn.Linear(18, 48), nn.ReLU(), nn.Linear(48, 1))


def build_model():
    torch.manual_seed(91)
    return Agent()


def make_batch():
    g = torch.Generator().manual_seed(92)
    return torch.randn(24, 14, generator=g)


def compute_loss(model, batch):
    torch.manual_seed(93)
    action, logp = model.actor.sample(batch)
    q = model.q(torch.cat([batch, action], 1)).squeeze(1)
    loss = (0.2 * logp - q).mean()
    if not math.isfinite(loss.item()):
        print("Loss is {}, stopping training".format(loss.item()))
        sys.exit(1)
    return loss
