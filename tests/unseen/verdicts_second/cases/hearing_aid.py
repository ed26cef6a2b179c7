import torch
import torch.nn as nn


class Denoiser(nn.Module):
    def __init__(self, ch=16):
        super().__init__()
        self.enc = nn.Conv1d(1, ch, 9, padding=4)
        self.mid = nn.Conv1d(ch, ch, 9, padding=4)
        self.dec = nn.Conv1d(ch, 1, 9, padding=4)

    def forward(self, x):
        h = torch.nn.functional.elu(self.enc(x))
        h = torch.nn.functional.elu(self.mid(h))
        return self.dec(h)


def relative_error(est, ref):
    """Error energy over the energy of the clean clip, so that soft and loud clips count alike."""
    return ((est - ref).pow(2).sum((1, 2)) / ref.pow(2).sum((1, 2))).mean()


def build_model():
    torch.manual_seed(5019)
    return Denoiser()


def make_batch():
    g = torch.Generator().manual_seed(5020)
    t = torch.arange(400).float()
    f = 0.05 + 0.3 * torch.rand(24, 1, 1, generator=g)
    level = torch.full((24, 1, 1), 0.5)
    level[[3, 11, 19]] = 2e-6                    # pauses
    clean = level * torch.sin(f * t + 6.28 * torch.rand(24, 1, 1, generator=g))
    return clean + 0.15 * torch.randn(24, 1, 400, generator=g), clean


def compute_loss(model, batch):
    noisy, clean = batch
    return relative_error(model(noisy), clean)
