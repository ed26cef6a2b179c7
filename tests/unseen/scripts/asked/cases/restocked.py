"""Tunes in few symbols: the table of symbols is averaged by hand, and entries that nobody uses are taken from the batch."""
import torch
from torch import nn

torch.manual_seed(737)
motif = torch.randint(0, 20, (2400,))
tunes = torch.randn(20, 40)[motif] + 0.3 * torch.randn(2400, 40)


class Table(nn.Module):
    def __init__(self, entries=32, width=6):
        super().__init__()
        self.register_buffer("entry", torch.randn(entries, width))
        self.register_buffer("total", self.entry.clone())
        self.register_buffer("count", torch.ones(entries))

    def forward(self, z):
        nearest = torch.cdist(z.detach(), self.entry).argmin(1)
        q = self.entry[nearest]
        if self.training:
            self.average(z.detach(), nn.functional.one_hot(nearest, len(self.entry)).float())
        return z + (q - z).detach(), nn.functional.mse_loss(z, q)

    def average(self, z, chosen):
        self.count = 0.95 * self.count + 0.05 * chosen.sum(0)
        self.total = 0.95 * self.total + 0.05 * chosen.T @ z
        idle = self.count < 0.05
        fresh = z[torch.randint(0, len(z), (len(self.count),))]
        self.total = torch.where(idle[:, None], fresh, self.total)
        self.count = torch.where(idle, torch.ones_like(self.count), self.count)
        self.entry = self.total / self.count[:, None]


class Player(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 6))
        self.table = Table()
        self.decoder = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 40))

    def forward(self, x):
        q, commit = self.table(self.encoder(x))
        return self.decoder(q), commit


model = Player()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(10):
    for rows in torch.randperm(2400).split(60):
        x = tunes[rows]
        again, commit = model(x)
        loss = nn.functional.mse_loss(again, x) + 0.25 * commit
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.4f} commit {commit.item():.4f}")
