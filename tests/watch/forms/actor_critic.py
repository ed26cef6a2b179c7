"""An actor-critic whose own forward is never called."""
import torch
from torch import nn
from torch.distributions import Categorical


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 16), nn.Tanh())
        self.actor = nn.Linear(16, 3)
        self.critic = nn.Linear(16, 1)

    def act(self, state):
        hidden = self.body(state)
        return Categorical(logits=self.actor(hidden)), self.critic(hidden)


agent = ActorCritic()
optimizer = torch.optim.Adam(agent.parameters(), lr=0.01)
for episode in range(7):
    log_probs, values, rewards = [], [], []
    state = torch.randn(4)
    for t in range(5):
        dist, value = agent.act(state)
        action = dist.sample()
        log_probs.append(dist.log_prob(action))
        values.append(value)
        rewards.append(float(action == 1))
        state = state * 0.9 + 0.1 * torch.randn(4)
    returns = torch.tensor([sum(rewards[i:]) for i in range(5)])
    values = torch.cat(values)
    loss = -(torch.stack(log_probs) * (returns - values.detach())).mean() + (returns - values).pow(2).mean()
    loss = loss - 0.01 * dist.entropy()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
