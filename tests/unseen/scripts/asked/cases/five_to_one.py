"""Shots at a ring, imitated: a critic whose weights are clipped, five updates of it for one of the archer."""
import torch
from torch import nn

torch.manual_seed(734)


def shots(n):
    angle = 6.283 * torch.rand(n)
    return torch.stack((angle.cos(), angle.sin()), 1) * 2 + 0.1 * torch.randn(n, 2)


archer = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
critic = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
archer_optimizer = torch.optim.RMSprop(archer.parameters(), lr=1e-3)
critic_optimizer = torch.optim.RMSprop(critic.parameters(), lr=1e-3)
for turn in range(250):
    for _ in range(5):
        real = shots(64)
        with torch.no_grad():
            fake = archer(torch.randn(64, 4))
        critic_optimizer.zero_grad()
        loss = critic(fake).mean() - critic(real).mean()
        loss.backward()
        critic_optimizer.step()
        with torch.no_grad():
            for p in critic.parameters():
                p.clamp_(-0.05, 0.05)
    archer_optimizer.zero_grad()
    missed = -critic(archer(torch.randn(64, 4))).mean()
    missed.backward()
    archer_optimizer.step()
    if turn % 25 == 24:
        with torch.no_grad():
            off = (archer(torch.randn(2000, 4)).norm(dim=1) - 2).abs().mean().item()
        print(turn + 1, f"critic {loss.item():.4f} archer {missed.item():.4f} off {off:.4f}")
