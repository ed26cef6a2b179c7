import torch
import torch.nn as nn
from torch.distributions import Normal


class ActorCritic(nn.Module):
    def __init__(self, obs=18, act=6, d=48):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(obs, d), nn.ELU(), nn.Linear(d, d), nn.ELU(), nn.Linear(d, act))
        self.critic = nn.Sequential(nn.Linear(obs, d), nn.ELU(), nn.Linear(d, 1))
        self.std = nn.Parameter(torch.ones(act))

    def distribution(self, obs):
        mean = self.actor(obs)
        return Normal(mean, mean * 0.0 + self.std)


def build_model():
    torch.manual_seed(101)
    return ActorCritic()


def make_batch():
    g = torch.Generator().manual_seed(102)
    obs = torch.randn(32, 18, generator=g)
    height, contact = torch.rand(32, generator=g) + 0.1, torch.rand(32, generator=g)
    height[7] = contact[7] = 0.0
    obs[:, 17] = contact / height
    return obs, torch.randn(32, 6, generator=g), torch.randn(32, generator=g)


def compute_loss(model, batch):
    obs, action, advantage = batch
    logp = model.distribution(obs).log_prob(action).sum(-1)
    value = model.critic(obs).squeeze(-1)
    return -(logp * advantage).mean() + 0.5 * (value - advantage).square().mean()
