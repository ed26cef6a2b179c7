# gradcheck run --quiet --no-try GC674.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 8))
discriminator = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
of_generator = torch.optim.Adam(generator.parameters(), lr=1e-3)
of_discriminator = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
for step in range(30):
    x, z = torch.randn(16, 8), torch.randn(16, 4)
    of_generator.zero_grad()
    F.softplus(-discriminator(generator(z))).mean().backward()  # leaves gradients in the discriminator, too
    of_generator.step()
    fake = generator(z).detach()
    (F.softplus(discriminator(fake)) + F.softplus(-discriminator(x))).mean().backward()
    of_discriminator.step()
    of_discriminator.zero_grad()
