"""Two players: a forger of coin weights and an expert; the expert is shown a detached copy in both turns."""
import torch
from torch import nn

torch.manual_seed(617)


def coins(n):
    return torch.randn(n, 2) * torch.tensor([0.3, 0.6]) + torch.tensor([2.0, -1.0])


forger = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
expert = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
by_forger = torch.optim.Adam(forger.parameters(), lr=2e-3, betas=(0.5, 0.999))
by_expert = torch.optim.Adam(expert.parameters(), lr=2e-3, betas=(0.5, 0.999))
judge = nn.BCEWithLogitsLoss()
for turn in range(1, 401):
    real = coins(64)
    fake = forger(torch.randn(64, 6)).detach()
    by_expert.zero_grad()
    d_loss = judge(expert(real), torch.ones(64, 1)) + judge(expert(fake), torch.zeros(64, 1))
    d_loss.backward()
    by_expert.step()

    by_forger.zero_grad()
    g_loss = judge(expert(fake), torch.ones(64, 1))
    g_loss.backward()
    by_forger.step()
    if turn % 50 == 0:
        with torch.no_grad():
            off = (forger(torch.randn(2000, 6)).mean(0) - coins(2000).mean(0)).norm().item()
        print(turn, f"expert {d_loss.item():.3f} forger {g_loss.item():.3f} near {1 / (1 + off):.4f}")
