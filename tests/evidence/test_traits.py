"""What a model has that remedies act on, read from real measurements of small models."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli.pipeline import diagnose
from gradcheck_cli.records.traits import Trait, Traits
from tests.trials.contexts import step_of


def traits(model: nn.Module, batch: Any, loss: Any = "mse_loss") -> Traits:
    if isinstance(loss, str):
        return diagnose(step_of(model, batch, loss)).evidence.traits
    return diagnose(step_of(model, batch, lambda model, batch: loss(model(batch[0]), batch[1]))).evidence.traits


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


X, Y = torch.randn(8, 6), torch.randn(8, 6)


class Skip(nn.Module):
    """x + f(x) twice, or f(x) twice."""

    def __init__(self, add: bool) -> None:
        super().__init__()
        self.first, self.a, self.b, self.add = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6), add

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in (self.a, self.b):
            x = x + torch.relu(block(x)) if self.add else torch.relu(block(x))
        return x


class Steps(nn.Module):
    """h = tanh(W x + U h + b) over many steps, or a gate between the old state and the new one."""

    def __init__(self, gated: bool) -> None:
        super().__init__()
        self.w, self.u, self.gate = nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False), nn.Linear(6, 6)
        self.b, self.gated = nn.Parameter(torch.zeros(6)), gated

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros_like(x)
        for _ in range(10):
            new = torch.tanh(self.w(x) + self.u(h) + self.b)
            z = torch.sigmoid(self.gate(x))
            h = z * h + (1 - z) * new if self.gated else new + 0 * z
        return h


def test_a_sum_is_residual_where_one_part_was_made_of_the_other() -> None:
    assert Trait.RESIDUAL in traits(Skip(True), (X, Y))
    assert Trait.RESIDUAL not in traits(Skip(False), (X, Y))
    assert Trait.RESIDUAL not in traits(Steps(False), (X, Y))
    assert Trait.RESIDUAL not in traits(nn.GRU(6, 6), (X[None], torch.zeros(1, 8, 6)), lambda out, y: out[0].sum())


def test_gates_tell_one_recurrence_from_the_other() -> None:
    plain, gated = traits(Steps(False), (X, Y)), traits(Steps(True), (X, Y))
    assert {Trait.RECURRENT, Trait.GATED} <= gated and Trait.PLAIN_RECURRENT not in gated
    assert Trait.RECURRENT in plain
    found = traits(nn.RNN(6, 6), (X[None], torch.zeros(1, 8, 6)), lambda out, y: out[0].square().sum())
    assert {Trait.RECURRENT, Trait.PLAIN_RECURRENT} <= found and Trait.GATED not in found
    assert Trait.RECURRENT not in traits(Skip(True), (X, Y))


@pytest.mark.parametrize(
    ("loss", "target", "kind"),
    [
        (F.cross_entropy, torch.zeros(8, dtype=torch.int64), Trait.CROSS_ENTROPY),
        (F.binary_cross_entropy_with_logits, torch.ones(8, 6), Trait.BINARY),
        (F.mse_loss, Y, Trait.REGRESSION),
        (lambda out, y: (out - y).square().mean(), Y, Trait.REGRESSION),
        (lambda out, y: -(torch.sigmoid(out) + 1e-6).log().mean(), torch.ones(8, 6), Trait.BINARY),
        (lambda out, y: out.cos().mean(), Y, Trait.OTHER_LOSS),
    ],
)
def test_the_kind_of_loss_is_read_from_its_ops(loss: Any, target: Tensor, kind: Trait) -> None:
    kinds = {Trait.CROSS_ENTROPY, Trait.BINARY, Trait.REGRESSION, Trait.OTHER_LOSS}
    assert traits(nn.Linear(6, 6), (X, target), loss) & kinds == {kind}


def test_activations_count_by_where_they_stand() -> None:
    inner = traits(nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6)), (X, Y))
    assert {Trait.SQUASHING, Trait.HIDDEN} <= inner and Trait.RECTIFIED_OUTPUT not in inner
    last = traits(nn.Sequential(nn.Linear(6, 6), nn.ReLU()), (X, Y))
    assert {Trait.RECTIFYING, Trait.RECTIFIED_OUTPUT} <= last and not last & {Trait.SQUASHING, Trait.HIDDEN}
    assert Trait.SQUASHING not in traits(nn.Sequential(nn.Linear(6, 6), nn.Sigmoid()), (X, Y))


def test_what_else_there_is() -> None:
    images, maps = torch.randn(4, 3, 8, 8), nn.Conv2d(3, 3, 3, padding=1)
    found = traits(nn.Sequential(maps, nn.BatchNorm2d(3), nn.Softmax(1)), (100 * images, images))
    assert {Trait.CONVOLUTIONAL, Trait.BATCH_NORMALISED, Trait.SOFTMAX} <= found
    assert {Trait.FLOATING_INPUTS, Trait.LARGE_INPUTS} <= found
    words = nn.Sequential(nn.Embedding(5, 6), nn.LayerNorm(6))
    quiet = traits(words, (torch.zeros(8, dtype=torch.int64), Y))
    assert not quiet & {Trait.FLOATING_INPUTS, Trait.LARGE_INPUTS, Trait.BATCH_NORMALISED, Trait.CONVOLUTIONAL}
