"""Is it a bat or a moth? Catches of nine nights in order, nights of many bats and nights of few."""
import torch
from torch import nn

torch.manual_seed(637)
share = torch.tensor([0.3, 0.7, 0.4, 0.65, 0.25, 0.55, 0.75, 0.35, 0.6])
bat = (torch.rand(9, 160) < share[:, None]).long().flatten()
sound = torch.tensor([[-0.5], [0.5]])[bat] * torch.ones(12) + torch.randn(len(bat), 12)
net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(8):
    for x, y in zip(sound.split(40), bat.split(40)):
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(epoch, f"loss {nn.functional.cross_entropy(net(sound), bat).item():.4f}")
