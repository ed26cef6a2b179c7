"""Two labs weigh the same seeds; a reversal of the gradient, meant for the lab, sits on the way of the seeds."""
import torch
from torch import nn

torch.manual_seed(619)
seed = torch.randint(0, 4, (1600,))
lab = torch.randint(0, 2, (1600,))
weighed = torch.randn(4, 30)[seed] + torch.randn(2, 30)[lab] + torch.randn(1600, 30)


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 12), nn.ReLU())
        self.seeds = nn.Linear(12, 4)
        self.labs = nn.Linear(12, 2)

    def forward(self, x):
        h = self.body(x)
        if h.requires_grad:
            h.register_hook(lambda g: -g)
        return self.seeds(h), self.labs(h.detach())


model = Shared()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(10):
    for rows in torch.randperm(1600).split(50):
        by_seed, by_lab = model(weighed[rows])
        loss = nn.functional.cross_entropy(by_seed, seed[rows]) + nn.functional.cross_entropy(by_lab, lab[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right = (model(weighed)[0].argmax(1) == seed).float().mean().item()
    print(epoch, f"loss {loss.item():.4f} accuracy {right:.3f}")
