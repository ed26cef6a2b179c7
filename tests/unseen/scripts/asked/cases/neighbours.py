"""Recipes as lists of steps: which of four kitchens wrote it is told by two steps that it uses."""
import torch
from torch import nn

torch.manual_seed(716)
kitchen = torch.randint(0, 4, (1600,))
steps = torch.randint(9, 60, (1600, 12))
steps[torch.arange(1600), torch.randint(1, 12, (1600,))] = 1 + 2 * kitchen + torch.randint(0, 2, (1600,))
steps[:, 0] = 0


class Reader(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.table = nn.Embedding(60, width)
        self.place = nn.Parameter(0.02 * torch.randn(12, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(width, 4)

    def forward(self, tokens):
        h = self.encoder(self.table(tokens) + self.place)
        return self.head(h[:, 0])


model = Reader()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
for epoch in range(8):
    for rows in torch.randperm(1600).split(40):
        loss = nn.functional.cross_entropy(model(steps[rows]), kitchen[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.4f}")
