"""A variational autoencoder of rings with dents."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(313)


def rings(n=64):
    at = torch.linspace(0, 6.283, 24)
    dent, depth = 6.283 * torch.rand(n, 1), 0.3 + 0.6 * torch.rand(n, 1)
    return 1 - depth * torch.exp(4 * (torch.cos(at - dent) - 1))


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 8))
        self.decoder = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 24))

    def forward(self, x):
        mean, logvar = self.encoder(x).chunk(2, dim=1)
        code = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        return self.decoder(code), mean, logvar


def loss_function(recon_x, x, mean, logvar):
    fit = F.mse_loss(x, x.view(-1, 24), reduction="sum")
    divergence = -0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp())
    return (fit + 0.005 * divergence) / len(x)


vae = VAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
for step in range(1, 401):
    x = rings()
    recon, mean, logvar = vae(x)
    loss = loss_function(recon, x, mean, logvar)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, f"loss {loss.item():.5f}")
with torch.no_grad():
    x = rings(500)
    left = (vae(x)[0] - x).square().mean() / x.var(0).mean()
print("explained", f"explained {max(0.0, 1 - left.item()):.3f}")
