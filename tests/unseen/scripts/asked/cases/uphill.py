"""A pump house: which of five valves to open, learned by proximal policy optimisation."""
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(714)
plan = torch.randn(8, 5)


class Keeper(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 64), nn.Tanh())
        self.actor = nn.Linear(64, 5)
        self.critic = nn.Linear(64, 1)

    def forward(self, levels):
        h = self.body(levels)
        return Categorical(logits=self.actor(h)), self.critic(h).squeeze(1)


def rollout(keeper, size=256):
    levels = torch.randn(size, 8)
    with torch.no_grad():
        policy, value = keeper(levels)
        valve = policy.sample()
    reward = ((levels @ plan).argmax(1) == valve).float()
    return levels, valve, policy.log_prob(valve), reward, reward - value


def ppo_loss(keeper, levels, valve, before, reward, advantage):
    policy, value = keeper(levels)
    ratio = (policy.log_prob(valve) - before).exp()
    bounded = ratio.clamp(0.8, 1.2)
    gain = torch.min(ratio * advantage, bounded * advantage).mean()
    error = nn.functional.mse_loss(value, reward)
    return gain + 0.5 * error - 0.001 * policy.entropy().mean()


keeper = Keeper()
optimizer = torch.optim.Adam(keeper.parameters(), lr=3e-3)
for update in range(80):
    levels, valve, before, reward, advantage = rollout(keeper)
    for _ in range(4):
        loss = ppo_loss(keeper, levels, valve, before, reward, advantage)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(keeper.parameters(), 0.5)
        optimizer.step()
    if update % 10 == 9:
        print(update, f"loss {loss.item():.4f} reward {rollout(keeper, 2000)[3].mean().item():.4f}")
