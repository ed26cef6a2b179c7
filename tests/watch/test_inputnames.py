"""Tensors from outside are called as the script's own code calls them."""

from __future__ import annotations

from pathlib import Path

import torch

from gradcheck_cli.watch.inputnames import names_of
from tests.watch.test_replay import seen_of

SCRIPT = """
import torch
from torch import nn
from torch.nn import functional as F


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(5, 2)

    def forward(self, batch, scale, *, mask=None):
        first, second = scale
        return self.inner(batch["past"]) * first * second * mask


model, other = Forecast(), nn.Linear(2, 2)
batch = {"past": torch.randn(4, 5), "future": torch.randn(4, 2), "idx": torch.arange(4)}
x = torch.randn(4, 2)
out = model(batch, (torch.ones(1), torch.full((1,), 2.0)), mask=torch.ones(4, 1))
loss = F.mse_loss(out, batch["future"]) + (other(x) - torch.zeros(4, 2)).square().mean()
loss.backward()
"""


def test_arguments_keys_and_places(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    batch = seen_of(path, 1, lambda step: {name: tuple(t.shape) for name, t in step.batch.items()})
    assert batch == {
        "past": (4, 5), "future": (4, 2), "idx": (4,), "scale.0": (1,), "scale.1": (1,), "mask": (4, 1),
        "input": (4, 2),
    } | {name: shape for name, shape in batch.items() if name.isdigit()}  # fmt: skip
    assert [shape for name, shape in batch.items() if name.isdigit()] == [(4, 2)]


def test_every_tensor_has_a_name_of_its_own() -> None:
    tensors = [torch.zeros(n) for n in range(3)]
    assert list(names_of({id(t): t for t in tensors}, ())) == ["0", "1", "2"]
