import torch
import torch.nn as nn


class MorseReader(nn.Module):
    def __init__(self, mels=12, ch=48, symbols=6):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(mels, ch, 5, padding=2), nn.BatchNorm1d(ch), nn.ReLU(),
            nn.Conv1d(ch, ch, 5, padding=2), nn.BatchNorm1d(ch), nn.ReLU(),
        )
        self.head = nn.Linear(ch, symbols + 1)

    def forward(self, spec):
        return self.head(self.body(spec.transpose(1, 2)).transpose(1, 2)).log_softmax(-1)


def build_model():
    torch.manual_seed(210)
    return MorseReader()


def make_batch(b=8, frames=192, n=60):
    g = torch.Generator().manual_seed(211)
    shapes = 2.0 * torch.randn(6, 12, generator=g)
    y = torch.randint(1, 7, (b, n), generator=g)
    spec = 0.3 * torch.randn(b, frames, 12, generator=g)
    for i in range(b):
        at = torch.arange(n) * 3 + torch.randint(0, 2, (n,), generator=g)
        for k in range(n):
            spec[i, at[k]:at[k] + 2] += shapes[y[i, k] - 1]
    return spec, y


ctc = nn.CTCLoss(blank=0, reduction="sum")


def compute_loss(model, batch):
    spec, y = batch
    logp = model(spec).transpose(0, 1)
    b = y.size(0)
    return ctc(logp, y, torch.full((b,), logp.size(0)), torch.full((b,), y.size(1)))
