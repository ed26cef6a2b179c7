"""Contrastive codes of patterns: each view has to find the other one of its own among all of the batch."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(324)
PATTERNS = torch.randn(8, 32)


def views(n=64):
    kind = torch.randint(0, 8, (n,))
    clean = PATTERNS[kind] + 0.5 * torch.randn(n, 32)
    return clean + 0.3 * torch.randn(n, 32), clean + 0.3 * torch.randn(n, 32), kind


encoder = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64))
projector = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
optimizer = torch.optim.Adam([*encoder.parameters(), *projector.parameters()], lr=1e-3, weight_decay=1e-6)
for step in range(1, 301):
    a, b, _ = views()
    codes = F.normalize(projector(encoder(torch.cat([a, b]))), dim=1)
    likeness = codes @ codes.T / 0.2
    likeness.fill_diagonal_(-1e9)
    partner = torch.arange(128).roll(64)
    loss = F.cross_entropy(likeness, partner)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, loss.item())
with torch.no_grad():
    a, b, kind = views(400)
    ca, cb = F.normalize(encoder(a), dim=1), F.normalize(encoder(b), dim=1)
    near = (ca @ cb.T).argmax(1)
    print("same kind", (kind[near] == kind).float().mean().item())
