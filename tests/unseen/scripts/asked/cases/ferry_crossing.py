"""A ferry against the current, by proximal policy optimisation: masked actions, minibatches, a rate that falls to 0."""
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(731)
BOATS, LENGTH, UPDATES = 32, 24, 40


class Rivers:
    """Where a boat is (-5 to 5 across, how far along); the current pushes it, and it is paid for the middle."""

    def reset(self):
        self.at = torch.randint(-4, 5, (BOATS,)).float()
        self.push = torch.randn(BOATS).sign()
        return self.seen()

    def seen(self):
        return torch.stack((self.at / 5, self.push), 1)

    def allowed(self):
        return torch.stack((self.at > -5, torch.ones(BOATS, dtype=torch.bool), self.at < 5), 1)

    def step(self, action):
        self.at = (self.at + action - 1 + self.push * (torch.rand(BOATS) < 0.4)).clamp(-5, 5)
        self.push = torch.where(torch.rand(BOATS) < 0.1, -self.push, self.push)
        return self.seen(), 1 - self.at.abs() / 2 + torch.randn(BOATS)


class Captain(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 3))
        self.critic = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        for layer in (*self.actor, *self.critic):
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight, 2**0.5)
                nn.init.zeros_(layer.bias)
        nn.init.orthogonal_(self.actor[-1].weight, 0.01)

    def forward(self, seen, allowed):
        return Categorical(logits=self.actor(seen).masked_fill(~allowed, -1e9)), self.critic(seen).squeeze(-1)


rivers, captain = Rivers(), Captain()
optimizer = torch.optim.Adam(captain.parameters(), lr=3e-3, eps=1e-5)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 - k / UPDATES)
for update in range(UPDATES):
    seen, kept = rivers.reset(), []
    for _ in range(LENGTH):
        with torch.no_grad():
            policy, value = captain(seen, allowed := rivers.allowed())
            action = policy.sample()
        after, reward = rivers.step(action)
        kept.append((seen, allowed, action, policy.log_prob(action), value, reward))
        seen = after
    with torch.no_grad():
        ahead, gains, gain = captain(seen, rivers.allowed())[1], [], torch.zeros(BOATS)
    for _, _, _, _, value, reward in reversed(kept):
        gain = reward + 0.95 * ahead - value + 0.95 * 0.9 * gain
        ahead = value
        gains.insert(0, gain)
    seen_, allowed_, action_, before_, value_, reward_ = (torch.cat(part) for part in zip(*kept))
    gain_ = torch.cat(gains)
    aim_ = gain_ + value_
    for _ in range(3):
        for rows in torch.randperm(len(aim_)).split(192):
            policy, value = captain(seen_[rows], allowed_[rows])
            ratio = (policy.log_prob(action_[rows]) - before_[rows]).exp()
            good = (gain_[rows] - gain_[rows].mean()) / (gain_[rows].std() + 1e-8)
            actor = -torch.min(ratio * good, ratio.clamp(0.8, 1.2) * good).mean()
            loss = actor + 0.5 * (value - aim_[rows]).pow(2).mean() - 0.01 * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(captain.parameters(), 0.5)
            optimizer.step()
    schedule.step()
    if update % 5 == 4:
        print(update + 1, f"loss {loss.item():.4f} paid {reward_.mean().item():.4f}")
