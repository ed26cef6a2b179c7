"""Healthy reinforcement learning: losses near 0 or negative, targets without gradient."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical, Normal

from tests.corpus.case import healthy
from tests.corpus.toys import blobs, mlp
from tests.corpus.trained import falls, trains


class QNetwork(nn.Module):
    """A dueling Q network and its target copy."""

    def __init__(self):
        super().__init__()
        self.online = nn.ModuleDict({"trunk": mlp(16, 64), "value": mlp(64, 1), "advantage": mlp(64, 4)})
        self.target = copy.deepcopy(self.online)

    @staticmethod
    def q(net, state):
        h = F.relu(net["trunk"](state))
        advantage = net["advantage"](h)
        return net["value"](h) + advantage - advantage.mean(1, keepdim=True)


@healthy(
    field="rl",
    tricky="the target network runs but gets no gradient; the mean advantage is subtracted",
    proof=trains(still=("target",)),
)
def dueling_dqn_target_network():
    """Double DQN on a fixed replay batch; the target network runs under no_grad."""
    state, best = blobs(128)
    action = torch.randint(0, 4, (128,))
    batch = (state, action, (action == best).float(), state[torch.randperm(128)])

    def step(model, batch):
        state, action, reward, following = batch
        with torch.no_grad():
            choice = model.q(model.online, following).argmax(1, keepdim=True)
            goal = reward + 0.5 * model.q(model.target, following).gather(1, choice).squeeze(1)
        value = model.q(model.online, state).gather(1, action[:, None]).squeeze(1)
        return F.smooth_l1_loss(value, goal)

    return QNetwork(), batch, step


def bandit(rows: int = 128):
    """States, sampled actions and advantages normalised to mean 0 and deviation 1."""
    state, best = blobs(rows)
    action = torch.randint(0, 4, (rows,))
    gain = (action == best).float()
    return state, action, (gain - gain.mean()) / gain.std()


@healthy(field="rl", tricky="normalised advantages: the loss is nearly 0 and then negative", proof=falls(0.5))
def policy_gradient_normalised_advantages():
    """REINFORCE with a softmax policy that starts near uniform."""
    policy = mlp(16, 64, 4, act=nn.Tanh)
    with torch.no_grad():
        policy[-1].weight.mul_(0.01)

    def step(model, batch):
        state, action, advantage = batch
        return -(Categorical(logits=model(state)).log_prob(action) * advantage).mean()

    return policy, bandit(), step


@healthy(
    field="rl",
    tricky="ratios start at exactly 1 and the loss at 0; clipped terms have no gradient",
    proof=falls(0.03),
)
def ppo_clipped_objective():
    """PPO's clipped surrogate on the batch that the policy itself has just sampled."""
    policy = mlp(16, 64, 4, act=nn.Tanh)
    state, action, advantage = bandit()
    with torch.no_grad():
        old = Categorical(logits=policy(state)).log_prob(action)

    def step(model, batch):
        state, action, advantage, old = batch
        dist = Categorical(logits=model(state))
        ratio = (dist.log_prob(action) - old).exp()
        clipped = ratio.clamp(0.8, 1.2)
        return -torch.min(ratio * advantage, clipped * advantage).mean() - 0.01 * dist.entropy().mean()

    return policy, (state, action, advantage, old), step


class ActorCritic(nn.Module):
    """Two heads on one trunk; the actor's output layer starts small."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(16, 64), nn.Tanh())
        self.mean, self.value = nn.Linear(64, 2), nn.Linear(64, 1)
        self.log_std = nn.Parameter(torch.zeros(2))
        nn.init.orthogonal_(self.mean.weight, gain=0.01)

    def forward(self, state):
        h = self.trunk(state)
        return Normal(self.mean(h), self.log_std.exp()), self.value(h).squeeze(1)


@healthy(
    field="rl",
    tricky="actor, critic and entropy differ in sign and scale; the advantage is detached",
    proof=falls(0.1),
)
def actor_critic_continuous():
    """A2C with a Gaussian policy and a learned log deviation."""
    state, label = blobs(128)
    action = torch.randn(128, 2)
    goal = torch.stack([label % 2, label // 2], 1).float()
    reward = 1 - (action - goal).square().sum(1) / 4

    def step(model, batch):
        state, action, reward = batch
        policy, value = model(state)
        advantage = (reward - value).detach()
        actor = -(policy.log_prob(action).sum(1) * advantage).mean()
        return actor + 0.5 * F.mse_loss(value, reward) - 0.01 * policy.entropy().sum(1).mean()

    return ActorCritic(), (state, action, reward), step


class Deterministic(nn.Module):
    """DDPG: the actor learns through a critic that is frozen for this step."""

    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(*mlp(16, 64, 2), nn.Tanh())
        self.critic = mlp(18, 64, 1).requires_grad_(False)


@healthy(field="rl", tricky="the critic is frozen; the loss is minus a value", proof=falls(0.05))
def ddpg_actor_step():
    """The actor's turn of DDPG."""

    def step(model, batch):
        (state,) = batch
        return -model.critic(torch.cat([state, model.actor(state)], 1)).mean()

    return Deterministic(), (blobs(64)[0],), step


@healthy(field="rl", tricky="rewards near 1e-3 in a discounted return: tiny targets, tiny loss")
def td_value_small_rewards():
    """Monte-Carlo value regression with small rewards; the last layer starts at 0."""
    state, label = blobs(128)
    model = mlp(16, 64, 1)
    nn.init.zeros_(model[-1].weight)
    nn.init.zeros_(model[-1].bias)
    returns = 1e-3 * (label.float() - 1.5)
    return model, (state, returns), lambda m, b: F.mse_loss(m(b[0]).squeeze(1), b[1])
