"""Tied weights, and a penalty over all parameters."""
import torch
from torch import nn

embed, head = nn.Embedding(10, 6), nn.Linear(6, 10, bias=False)
head.weight = embed.weight
norm = nn.LayerNorm(6)
params = list({id(p): p for m in (embed, head, norm) for p in m.parameters()}.values())
optimizer = torch.optim.SGD(params, lr=0.1)
for step in range(8):
    ids = torch.randint(0, 10, (8, 5))
    logits = head(norm(embed(ids)))
    loss = nn.functional.cross_entropy(logits[:, :-1].reshape(-1, 10), ids[:, 1:].reshape(-1))
    loss = loss + 1e-2 * sum(p.pow(2).sum() for p in params) + 1e-3 * head.weight.abs().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
