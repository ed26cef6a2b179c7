import torch
import torch.nn as nn


class ScanRows(nn.Module):
    """A rectified recurrent net that starts as the identity and reads an image pixel by pixel."""

    def __init__(self, size=64):
        super().__init__()
        self.rnn = nn.RNN(1, size, nonlinearity="relu", batch_first=True)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)
        nn.init.zeros_(self.rnn.bias_ih_l0)
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.01)
        self.kind = nn.Linear(size, 3)

    def forward(self, pixels):
        seq, _ = self.rnn(pixels)
        return self.kind(seq[:, -1])


def build_model():
    torch.manual_seed(10201)
    return ScanRows()


def make_batch():
    g = torch.Generator().manual_seed(10202)
    y = torch.arange(30) % 3
    image = 0.1 * torch.randn(30, 96, 1, generator=g)
    for k in range(3):
        image[y == k, 10 * k : 10 * k + 20] += 1.0
        image[y == k, 20 : 30 + 12 * k] -= 0.5
    return image, y


loss = nn.CrossEntropyLoss()
