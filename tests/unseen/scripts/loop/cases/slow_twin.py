"""Representations from two views with a slow twin, a predictor and no gradient through the twin; then a probe."""
import copy

import torch
from torch import nn

torch.manual_seed(230)
SHAPES = torch.randn(6, 24)


def views(n=64):
    kind = torch.randint(0, 6, (n,))
    clean = SHAPES[kind] * (0.7 + 0.6 * torch.rand(n, 1))
    return clean + 0.5 * torch.randn(n, 24), clean + 0.5 * torch.randn(n, 24), kind


online = nn.Sequential(nn.Linear(24, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 16))
predictor = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16))
twin = copy.deepcopy(online)
for p in twin.parameters():
    p.requires_grad = False
optimizer = torch.optim.Adam([*online.parameters(), *predictor.parameters()], lr=3e-3)
for step in range(1, 201):
    a, b, _ = views()
    said, wanted = predictor(online(a)), twin(b).detach()
    loss = 2 - 2 * nn.functional.cosine_similarity(said, wanted).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for t, o in zip(twin.parameters(), online.parameters()):
            t.mul_(0.98).add_(o, alpha=0.02)
    if step % 25 == 0:
        print(step, f"{loss.item():.4f}")
online.eval()
with torch.no_grad():
    a, _, kind = views(1500)
    code = torch.cat([online(a), torch.ones(1500, 1)], 1)
    known, wanted = code[:1000], nn.functional.one_hot(kind[:1000], 6).float()
    weights = torch.linalg.solve(known.T @ known + torch.eye(17), known.T @ wanted)
    print("probe", ((code[1000:] @ weights).argmax(1) == kind[1000:]).float().mean().item(), "spread", code[:, :16].std(0).mean().item())
