# gradcheck check GC606.py --optimizer adam --lr 0.02
import torch
import torch.nn.functional as F
from torch import nn


class Letters(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(24, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)  # the norm comes last
        self.encoder = nn.TransformerEncoder(layer, 10, enable_nested_tensor=False)
        self.head = nn.Linear(16, 24)

    def forward(self, ids):
        return self.head(self.encoder(self.embed(ids)))


model = Letters()
start, stride = torch.randint(24, (8, 1)), torch.randint(1, 5, (8, 1))
batch = (start + stride * torch.arange(9)) % 24


def step(model, ids):
    return F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
