"""Actor and critic in a corridor: walk to the right end, an episode an update."""
import argparse

import torch
from torch import nn

LENGTH, LIMIT = 8, 40


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(LENGTH, 32), nn.Tanh())
        self.actor, self.critic = nn.Linear(32, 2), nn.Linear(32, 1)

    def forward(self, place):
        h = self.body(nn.functional.one_hot(place, LENGTH).float())
        return torch.distributions.Categorical(logits=self.actor(h)), self.critic(h).squeeze(-1)


def episode(agent):
    place, logps, values, rewards, entropies = torch.tensor(0), [], [], [], []
    for _ in range(LIMIT):
        policy, value = agent(place)
        move = policy.sample()
        logps.append(policy.log_prob(move)); values.append(value); entropies.append(policy.entropy())
        slip = torch.rand(()) < 0.1
        place = (place + (1 if bool(move) != bool(slip) else -1)).clamp(0, LENGTH - 1)
        done = place == LENGTH - 1
        rewards.append(5.0 if done else -0.2)
        if done:
            break
    return torch.stack(logps), torch.stack(values), rewards, torch.stack(entropies)


p = argparse.ArgumentParser()
p.add_argument("--episodes", type=int, default=250)
p.add_argument("--gamma", type=float, default=0.97)
a = p.parse_args()
torch.manual_seed(126)
agent = ActorCritic()
optimizer = torch.optim.Adam(agent.parameters(), lr=0.01)
scores = []
for k in range(a.episodes):
    logps, values, rewards, entropies = episode(agent)
    returns, r = [], 0.0
    for reward in reversed(rewards):
        r = reward + a.gamma * r
        returns.insert(0, r)
    returns = torch.tensor(returns)
    advantage = returns - values.detach()
    loss = -(logps * advantage).sum() + 0.5 * (returns - values).square().sum() - 0.01 * entropies.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scores.append(sum(rewards))
    if k % 25 == 24:
        print(k + 1, f"score {sum(scores[-25:]) / 25:.2f} loss {loss.item():.2f}")
