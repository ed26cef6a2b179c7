"""A deep residual net whose blocks are computed again in the backward pass, with dropout."""
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

torch.manual_seed(330)
centres = torch.randn(6, 16)


def data(n=64):
    kind = torch.randint(0, 6, (n,))
    return centres[kind] + 0.8 * torch.randn(n, 16), kind


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Dropout(0.1), nn.Linear(width, width))

    def forward(self, x):
        return x + self.inner(x)


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(16, 32)
        self.blocks = nn.ModuleList([Block(32) for _ in range(6)])
        self.head = nn.Linear(32, 6)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False)
        return self.head(x)


net = Deep()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
for step in range(200):
    x, y = data()
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
net.eval()
with torch.no_grad():
    x, y = data(1000)
    print("accuracy", (net(x).argmax(1) == y).float().mean().item())
