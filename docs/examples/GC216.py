# gradcheck check GC216.py --no-try
import torch
from torch import nn


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(20, 4), nn.Linear(4, 20)

    def forward(self, x):
        code = self.encoder(x)
        return self.decoder(code), code


model = Coder()
batch = torch.randn(64, 20)


def step(model, x):
    output, code = model(x)
    return (output - x).square().mean() + code.square().sum()  # a mean beside a sum
