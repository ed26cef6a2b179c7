import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import weight_norm


def wn_conv(i, o, k, dilation=1):
    conv = weight_norm(nn.Conv1d(i, o, k, padding=dilation * (k - 1) // 2, dilation=dilation))
    v = conv.parametrizations.weight.original1
    nn.init.normal_(v, 0.0, 1e-3)
    nn.init.constant_(conv.parametrizations.weight.original0, 2 ** 0.5)
    nn.init.zeros_(conv.bias)
    return conv


class ResStack(nn.Module):
    def __init__(self, ch):
        super().__init__()
        self.convs = nn.ModuleList([wn_conv(ch, ch, 3, d) for d in (1, 3, 9)])
        self.gate = 0.5

    def forward(self, x):
        for c in self.convs:
            x = x + self.gate * c(nn.functional.leaky_relu(x, 0.1))
        return x


class Vocoder(nn.Module):
    def __init__(self, mels=20, ch=32):
        super().__init__()
        self.pre = wn_conv(mels, ch, 7)
        self.up = nn.Upsample(scale_factor=4)
        self.stack = nn.Sequential(ResStack(ch), ResStack(ch))
        self.post = wn_conv(ch, 1, 7)

    def forward(self, mel):
        return torch.tanh(self.post(nn.functional.leaky_relu(self.stack(self.up(self.pre(mel))), 0.1))).squeeze(1)


def build_model():
    torch.manual_seed(270)
    return Vocoder()


def make_batch(b=16, frames=24):
    g = torch.Generator().manual_seed(271)
    f0 = 0.02 + 0.06 * torch.rand(b, 1, generator=g)
    t = torch.arange(frames * 4).float()
    phase = 6.28 * torch.rand(b, 1, generator=g)
    wav = 0.7 * torch.sin(6.2832 * f0 * t + phase)
    frame = wav.view(b, frames, 4)
    mel = torch.cat([frame.mean(2, keepdim=True), frame[..., -1:] - frame[..., :1], 10 * f0[:, None].expand(b, frames, 18) * torch.rand(1, 1, 18, generator=g)], 2)
    return mel.transpose(1, 2), wav


def loss_fn(out, wav):
    return (out - wav).abs().mean()
