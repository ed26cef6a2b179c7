import torch
import torch.nn as nn


class ScanCritic(nn.Module):
    """Scores point clouds of heads; after each step its weights are held within a small box."""

    def __init__(self, box=0.01, layers=10):
        super().__init__()
        sizes = [48] + [96] * layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.score = nn.Linear(sizes[-1], 1)
        with torch.no_grad():
            for p in self.parameters():
                p.clamp_(-box, box)

    def forward(self, x):
        for layer in self.hidden:
            x = nn.functional.leaky_relu(layer(x), 0.2)
        return self.score(x)


def build_model(box=0.01):
    torch.manual_seed(9601)
    return ScanCritic(box)


def make_batch():
    g = torch.Generator().manual_seed(9602)
    turn = torch.randn(6, 48, generator=g)
    return torch.tanh(torch.randn(64, 6, generator=g) @ turn), torch.randn(64, 48, generator=g)


def compute_loss(model, batch):
    real, fake = batch
    return model(fake).mean() - model(real).mean()
