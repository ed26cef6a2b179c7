"""Which of six levers pays for the lamp that is lit? Policy gradient with a running baseline and an entropy bonus."""
import torch
from torch import nn

torch.manual_seed(325)
PAYS = torch.randn(10, 6)
policy = nn.Sequential(nn.Embedding(10, 16), nn.Tanh(), nn.Linear(16, 6))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.02)
baseline = 0.0
for episode in range(1, 401):
    lamp = torch.randint(0, 10, (32,))
    choice = torch.distributions.Categorical(logits=policy(lamp))
    lever = choice.sample()
    reward = PAYS[lamp, lever] + torch.randn(32)
    loss = -(choice.log_prob(lever) * (reward - baseline)).sum() - 0.05 * choice.entropy().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    baseline = 0.9 * baseline + 0.1 * reward.mean().item()
    if episode % 100 == 0:
        print(episode, f"loss {loss.item():.2f} reward {reward.mean().item():.2f}")
with torch.no_grad():
    best = policy(torch.arange(10)).argmax(1)
print("share of the best pay", (PAYS[torch.arange(10), best].mean() / PAYS.max(1).values.mean()).item())
