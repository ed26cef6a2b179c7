import torch
import torch.nn as nn


def ortho(layer, gain=2 ** 0.5):
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


class Agent(nn.Module):
    def __init__(self, obs=8, act=2):
        super().__init__()
        self.actor = nn.Sequential(ortho(nn.Linear(obs, 64)), nn.Tanh(), ortho(nn.Linear(64, 64)), nn.Tanh(), ortho(nn.Linear(64, act), 0.01))
        self.log_std = nn.Parameter(torch.zeros(act))

    def dist(self, obs):
        return torch.distributions.Normal(self.actor(obs), self.log_std.exp())


def build_model():
    torch.manual_seed(240)
    return Agent()


def make_batch(n=512):
    """One rollout of the initial policy."""
    agent = build_model()
    g = torch.Generator().manual_seed(241)
    obs = torch.randn(n, 8, generator=g)
    with torch.no_grad():
        d = agent.dist(obs)
        act = d.mean + d.stddev * torch.randn(n, 2, generator=g)
        logp = d.log_prob(act).sum(1)
    want = torch.stack([obs[:, 0], -obs[:, 1]], 1).tanh()
    ret = -((act - want) ** 2).sum(1)
    adv = (ret - ret.mean()) / (ret.std() + 1e-8)
    return obs, act, logp, adv


def compute_loss(agent, batch, clip=0.2, ent=0.001):
    obs, act, old, adv = batch
    d = agent.dist(obs)
    ratio = (d.log_prob(act).sum(1) - old).exp()
    gain = torch.min(ratio * adv, ratio.clamp(1 - clip, 1 + clip) * adv).mean()
    return -gain - ent * d.entropy().sum(1).mean()
