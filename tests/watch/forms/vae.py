"""A VAE: reparametrisation in the script, with rsample and with randn_like; a scheduled weight."""
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

enc, dec = nn.Linear(6, 4), nn.Linear(2, 6)
optimizer = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=0.01)
for step in range(9):
    x = torch.rand(16, 6)
    mu, log_var = enc(x).chunk(2, 1)
    q = Normal(mu, (0.5 * log_var).exp())
    z = q.rsample() + 0.1 * torch.randn_like(mu)
    recon = nn.functional.binary_cross_entropy_with_logits(dec(z), x, reduction="sum")
    loss = recon / 16 + step / 10 * kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
