import torch
import torch.nn as nn


class KeywordTagger(nn.Module):
    def __init__(self, bands=12, hidden=32, words=4):
        super().__init__()
        self.inp = nn.Linear(bands, 24)
        self.rnn = nn.LSTM(24, hidden, batch_first=True)
        self.out = nn.Linear(hidden, words)

    def forward(self, frames):
        seq, _ = self.rnn(torch.relu(self.inp(frames)))
        return self.out(seq[:, -1])


def model():
    torch.manual_seed(4305)
    return KeywordTagger()


build_model = model


def make_batch():
    g = torch.Generator().manual_seed(4306)
    y = torch.arange(32) % 4
    proto = torch.randn(4, 24, 12, generator=g)
    spoken = proto[y] + 0.3 * torch.randn(32, 24, 12, generator=g)
    t = torch.arange(276).float()
    room = 0.2 * torch.sin(t[:, None] * torch.linspace(0.05, 0.4, 12)) + 0.01 * torch.randn(276, 12, generator=g)
    return torch.cat([spoken, room.expand(32, -1, -1)], 1), y


loss = nn.CrossEntropyLoss()
