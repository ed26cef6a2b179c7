"""Leaves as outlines: a variational autoencoder whose divergence counts from the second quarter on, more and more."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(733)
traits = torch.randn(2000, 3)
outlines = torch.sin(traits @ torch.randn(3, 32)) + 0.1 * torch.randn(2000, 32)


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(32, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU())
        self.mu, self.logvar = nn.Linear(96, 5), nn.Linear(96, 5)
        self.decoder = nn.Sequential(nn.Linear(5, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 32))

    def forward(self, x):
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        return self.decoder(mu + torch.randn_like(mu) * (0.5 * logvar).exp()), mu, logvar


def weight(step, total):
    return min(1.0, max(0.0, (step - total / 4) / (total / 2)))


model = Coder()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(outlines), batch_size=50, shuffle=True)
total, step = 12 * len(loader), 0
for epoch in range(12):
    for (x,) in loader:
        again, mu, logvar = model(x)
        reconstruction = 10 * (again - x).pow(2).sum(1).mean()
        divergence = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1).mean()
        loss = reconstruction + weight(step, total) * divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
    print(epoch, f"loss {loss.item():.3f} reconstruction {reconstruction.item():.3f} divergence {divergence.item():.3f}")
