"""Clicks: a sparse table of ids with an optimiser of its own, a dense net with another, one loss for both."""
import torch
from torch import nn

torch.manual_seed(222)
IDS = 500


class Clicks(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.table = nn.EmbeddingBag(IDS, width, sparse=True, mode="mean")
        self.dense = nn.Sequential(nn.Linear(width + 4, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, ids, extra):
        return self.dense(torch.cat([self.table(ids), extra], 1)).squeeze(1)


taste = torch.randn(IDS)


def batch(n=256):
    ids, extra = torch.randint(0, IDS, (n, 5)), torch.randn(n, 4)
    return ids, extra, (2 * taste[ids].mean(1) + 0.5 * extra[:, 0] > 0).float()


model = Clicks()
sparse = torch.optim.SparseAdam(list(model.table.parameters()), lr=0.03)
dense = torch.optim.Adam(model.dense.parameters(), lr=0.01)
for step in range(1, 201):
    ids, extra, click = batch()
    loss = nn.functional.binary_cross_entropy_with_logits(model(ids, extra), click)
    sparse.zero_grad()
    dense.zero_grad()
    loss.backward()
    sparse.step()
    dense.step()
    if step % 20 == 0:
        print(step, f"{loss.item():.4f}")
with torch.no_grad():
    ids, extra, click = batch(4000)
    print("accuracy", ((model(ids, extra) > 0).float() == click).float().mean().item())
