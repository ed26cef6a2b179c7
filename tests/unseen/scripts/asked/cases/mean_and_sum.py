"""Bird calls as short spectra: a variational autoencoder."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(711)
traits = torch.randn(2400, 4)
calls = torch.tanh(traits @ torch.randn(4, 48)) + 0.05 * torch.randn(2400, 48)


class Coder(nn.Module):
    def __init__(self, width=96, codes=6):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(48, width), nn.ReLU(), nn.Linear(width, 2 * codes))
        self.decoder = nn.Sequential(nn.Linear(codes, width), nn.ReLU(), nn.Linear(width, 48))

    def forward(self, x):
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return self.decoder(z), mu, logvar


def elbo(again, x, mu, logvar):
    reconstruction = nn.functional.mse_loss(again, x)
    divergence = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return reconstruction + divergence


model = Coder()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(calls), batch_size=80, shuffle=True)
for epoch in range(12):
    for (x,) in loader:
        again, mu, logvar = model(x)
        loss = elbo(again, x, mu, logvar)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        missed = (model(calls)[0] - calls).pow(2).mean() / calls.var()
    print(epoch, f"loss {loss.item():.4f} explained {max(1 - missed.item(), 0):.4f}")
