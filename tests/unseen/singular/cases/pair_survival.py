"""Spans are linked to heads; a head is marked if any of its spans is: a noisy or, in bfloat16."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Linker(nn.Module):
    def __init__(self, width=20):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU())
        self.link = nn.Linear(64, 1)

    def forward(self, spans):
        return self.link(self.encode(spans)).squeeze(-1)


def build_model():
    torch.manual_seed(531)
    return Linker()


def make_batch():
    g = torch.Generator().manual_seed(532)
    spans = torch.randn(60, 20, generator=g)
    spans[37] *= -900
    head = torch.arange(60) // 5
    marked = (torch.rand(12, generator=g) < 0.5).float()
    marked[37 // 5] = 1.0
    return spans, head, marked


def compute_loss(model, batch):
    spans, head, marked = batch
    p = torch.sigmoid(model(spans).bfloat16())
    survival = torch.log1p(-p.clamp(max=1 - 1e-6))
    none = torch.zeros(12, dtype=survival.dtype).scatter_add(0, head, survival)
    found = 1 - torch.exp(none)
    return F.mse_loss(found.float(), marked)
