"""Representations without labels: two noisy views of a signal should get the same code; then a linear probe."""
import torch
from torch import nn

torch.manual_seed(211)
SHAPES = torch.randn(6, 24)


def views(n=64):
    kind = torch.randint(0, 6, (n,))
    clean = SHAPES[kind] * (0.7 + 0.6 * torch.rand(n, 1))
    return clean + 0.5 * torch.randn(n, 24), clean + 0.5 * torch.randn(n, 24), kind


def probe(encoder):
    with torch.no_grad():
        a, _, kind = views(1500)
        code = encoder(a)
        code = torch.cat([code, torch.ones(1500, 1)], 1)
        known, wanted = code[:1000], nn.functional.one_hot(kind[:1000], 6).float()
        weights = torch.linalg.solve(known.T @ known + torch.eye(known.shape[1]), known.T @ wanted)      # ridge
        return ((code[1000:] @ weights).argmax(1) == kind[1000:]).float().mean().item(), code[:, :-1].std(0).mean().item()


encoder = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 16))
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1, momentum=0.9)
for step in range(1, 301):
    a, b, _ = views()
    loss = (encoder(a) - encoder(b)).square().sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, f"loss {loss.item():.2e}", "spread of the codes %.1e" % probe(encoder)[1])
print("probe %.3f, spread %.1e" % probe(encoder))
