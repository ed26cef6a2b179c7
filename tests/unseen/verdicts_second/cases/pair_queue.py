import copy
import torch
import torch.nn as nn
import torch.nn.functional as F


def encoder():
    return nn.Sequential(nn.Linear(30, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 32))


def samples(n, g):
    return torch.randn(n, 6, generator=g) @ torch.randn(6, 30, generator=torch.Generator().manual_seed(7)) + 1.0


class Contrast(nn.Module):
    def __init__(self, slots=1024, t=0.01):
        super().__init__()
        self.q = encoder()
        self.k = copy.deepcopy(self.q).requires_grad_(False)
        self.t = t
        with torch.no_grad():
            bank = F.normalize(self.k(samples(slots, torch.Generator().manual_seed(8))), dim=1)
        self.register_buffer("bank", bank)

    def forward(self, a, b):
        q = F.normalize(self.q(a), dim=1)
        with torch.no_grad():
            k = F.normalize(self.k(b), dim=1)
        return torch.cat([(q * k).sum(1, keepdim=True), q @ self.bank.t()], 1) / self.t


def build_model():
    torch.manual_seed(5631)
    return Contrast()


def make_batch():
    g = torch.Generator().manual_seed(5632)
    x = samples(96, g)
    return x + 0.8 * torch.randn(96, 30, generator=g), x + 0.8 * torch.randn(96, 30, generator=g)


def compute_loss(model, batch):
    logits = model(*batch)
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))
