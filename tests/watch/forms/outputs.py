"""Models that return dictionaries, dataclasses, named tuples and packed sequences."""
import typing
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


@dataclass
class Out:
    logits: torch.Tensor
    extra: dict


class Pair(typing.NamedTuple):
    one: torch.Tensor
    two: torch.Tensor


class A(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 4)

    def forward(self, batch):
        y = self.net(batch["x"])
        return Out(y, {"mean": y.mean(), "name": "a"})


class B(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 4)

    def forward(self, given):
        return {"pair": Pair(self.net(given.logits), given.extra["mean"] * 2), "list": [given.logits * 3]}


a, b, rnn = A(), B(), nn.RNN(4, 3, batch_first=True)
optimizer = torch.optim.SGD([*a.parameters(), *b.parameters(), *rnn.parameters()], lr=0.1)
for step in range(8):
    out = b(a({"x": torch.randn(6, 4), "ids": [1, 2]}))
    packed = pack_padded_sequence(out["list"][0].view(2, 3, 4), [3, 2], batch_first=True)
    states, _ = pad_packed_sequence(rnn(packed)[0], batch_first=True)
    loss = out["pair"].one.square().mean() + out["pair"].two + states.square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
