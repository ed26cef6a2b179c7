import torch
import torch.nn as nn
import torch.nn.functional as F


class VoiceNet(nn.Module):
    def __init__(self, n_in=20, dim=16):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_in, 64), nn.ReLU(), nn.Linear(64, dim))

    def forward(self, x):
        return F.normalize(self.net(x), dim=-1)


def build_model():
    torch.manual_seed(565)
    return VoiceNet()


def make_batch(n=256):
    g = torch.Generator().manual_seed(566)
    speaker = torch.randn(12, 20, generator=g)
    a = torch.randint(0, 12, (n,), generator=g)
    b = (a + torch.randint(1, 12, (n,), generator=g)) % 12
    noise = 0.8 * torch.randn(3, n, 20, generator=g)
    return speaker[a] + noise[0], speaker[a] + noise[1], speaker[b] + noise[2]


def compute_loss(model, batch, margin=0.3):
    anchor, pos, neg = (model(x) for x in batch)
    gap = (anchor - pos).pow(2).sum(1) - (anchor - neg).pow(2).sum(1) + margin
    return gap.clamp(min=0.0).mean()
