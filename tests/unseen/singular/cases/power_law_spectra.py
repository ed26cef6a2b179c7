"""Speech enhancement: a mask on the spectrum, compared after power-law compression."""
import torch
import torch.nn as nn


class MaskNet(nn.Module):
    def __init__(self, bins=33, hidden=48):
        super().__init__()
        self.rnn = nn.GRU(bins, hidden, batch_first=True)
        self.mask = nn.Linear(hidden, bins)

    def forward(self, noisy):
        h, _ = self.rnn(torch.log1p(noisy.abs()))
        return torch.sigmoid(self.mask(h)) * noisy


def spectrum(wave):
    frames = wave.unfold(-1, 64, 32) * torch.hann_window(64)
    return torch.fft.rfft(frames)


def build_model():
    torch.manual_seed(541)
    return MaskNet()


def make_batch():
    g = torch.Generator().manual_seed(542)
    t = torch.arange(640) / 640
    tone = torch.sin(2 * torch.pi * (20 + 60 * torch.rand(6, 1, generator=g)) * t)
    noisy = tone + 0.3 * torch.randn(6, 640, generator=g)
    noisy[4], tone[4] = 0.0, 0.0                  # the microphone was muted
    return spectrum(noisy), spectrum(tone)


def compute_loss(model, batch):
    noisy, clean = batch
    estimate = model(noisy)
    compressed = estimate.abs() ** 0.3
    return (compressed - clean.abs() ** 0.3).square().mean() + 0.1 * (estimate - clean).abs().mean()
