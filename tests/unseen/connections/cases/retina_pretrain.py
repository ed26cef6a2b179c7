import torch
import torch.nn as nn
import torch.nn.functional as F


class RetinaNetwork(nn.Module):
    """First stage: rebuild the hidden patch. The grading head belongs to the second stage."""

    def __init__(self, dim=48, grades=5):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(36, dim), nn.GELU(), nn.Linear(dim, dim), nn.GELU())
        self.rebuild = nn.Linear(dim, 12)
        self.grade = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, grades))

    def forward(self, x):
        h = self.backbone(x)
        return {"rebuild": self.rebuild(h), "grade": self.grade(h.detach())}


def build_model():
    torch.manual_seed(495)
    return RetinaNetwork()


def make_batch(n=192):
    g = torch.Generator().manual_seed(496)
    basis = torch.randn(6, 48, generator=g) / 6 ** 0.5
    full = torch.randn(n, 6, generator=g) @ basis
    return full[:, :36], full[:, 36:]


def compute_loss(model, batch, stage="pretrain"):
    visible, hidden = batch
    out = model(visible)
    if stage == "pretrain":
        return F.mse_loss(out["rebuild"], hidden)
    raise ValueError("grading needs labels")
