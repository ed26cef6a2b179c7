import torch
import torch.nn as nn
import torch.nn.functional as F


class PlateReader(nn.Module):
    def __init__(self, chars=30, d=32):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, d, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(d, d, 3, stride=(4, 2), padding=1), nn.ReLU())
        self.rnn = nn.GRU(2 * d, d, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * d, chars)

    def forward(self, image):
        h = self.conv(image).flatten(1, 2).transpose(1, 2)
        return self.head(self.rnn(h)[0])


def build_model():
    torch.manual_seed(621)
    return PlateReader()


def make_batch():
    g = torch.Generator().manual_seed(622)
    image = torch.rand(6, 1, 16, 28, generator=g)
    lengths = torch.tensor([5, 5, 4, 7, 5, 5])
    text = torch.randint(1, 30, (6, 7), generator=g)
    text[3] = torch.tensor([4, 4, 7, 7, 7, 2, 9])
    return image, text, lengths


def compute_loss(model, batch):
    image, text, lengths = batch
    logp = model(image).log_softmax(-1).transpose(0, 1)
    steps = torch.full((len(image),), logp.shape[0])
    return F.ctc_loss(logp, text, steps, lengths, zero_infinity=True)
