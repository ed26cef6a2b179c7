"""Prices from four categories: a table of effects for each, added up."""
import torch
from torch import nn

torch.manual_seed(202)
SIZES = (12, 8, 20, 5)


class Additive(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.tables = [nn.Embedding(n, 1) for n in sizes]
        self.base = nn.Linear(1, 1)

    def forward(self, codes):
        effects = [table(codes[:, k]) for k, table in enumerate(self.tables)]
        total = self.base(torch.ones(len(codes), 1))
        for effect in effects:
            total = total + effect
        return total.squeeze(1)


effects = [2 * torch.randn(n) for n in SIZES]
codes = torch.stack([torch.randint(0, n, (4000,)) for n in SIZES], 1)
price = 10 + sum(e[codes[:, k]] for k, e in enumerate(effects)) + 0.1 * torch.randn(4000)
model = Additive(SIZES)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for epoch in range(4):
    order = torch.randperm(4000)
    for rows in order.split(50):
        loss = nn.functional.mse_loss(model(codes[rows]), price[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f} (variance of the prices {price.var().item():.3f})")
