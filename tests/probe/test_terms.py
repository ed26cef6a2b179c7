"""The terms of a loss, as the probe sees them added up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.probe import measure
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.target import wrap_target

X = torch.arange(24.0).view(8, 3) / 10


def measured(step: Callable[[Tensor, nn.Linear], Tensor]) -> Measurement:
    """A pass whose loss is made of the output of a layer and of the layer."""
    torch.manual_seed(0)
    target = wrap_target(nn.Linear(3, 1), X, step=lambda model, batch: step(model(batch), model))
    return measure(target, target.batches[0])


def in_place(o: Tensor, m: nn.Linear) -> Tensor:
    loss = (o**2).mean()
    loss += 3 * m.weight.abs().sum()
    loss -= o.mean()
    return loss


def one_by_one(o: Tensor, m: nn.Linear) -> Tensor:
    loss = (o**2).mean()
    for p in m.parameters():
        loss = loss + p.abs().sum()
    return loss


@pytest.mark.parametrize(
    ("step", "parts"),
    [
        (lambda o, m: (o**2).mean(), lambda o, m: [(o**2).mean()]),
        (
            lambda o, m: (o**2).mean() + 5 * m.weight.abs().sum(),
            lambda o, m: [(o**2).mean(), 5 * m.weight.abs().sum()],
        ),
        (lambda o, m: ((o**2).mean() - o.mean()) / 4, lambda o, m: [(o**2).mean() / 4, -o.mean() / 4]),
        (lambda o, m: 7 - o.mean() + (o**2).mean(), lambda o, m: [7 - o.mean(), (o**2).mean()]),
        (
            lambda o, m: torch.add((o**2).mean(), o.mean(), alpha=0.5),
            lambda o, m: [(o**2).mean(), 0.5 * o.mean()],
        ),
        (lambda o, m: sum([(o**2).mean(), o.mean(), o.sum()]), lambda o, m: [(o**2).mean(), o.mean(), o.sum()]),
        (
            lambda o, m: torch.stack([(o**2).mean(), o.mean()]).mean(),
            lambda o, m: [(o**2).mean() / 2, o.mean() / 2],
        ),
        (in_place, lambda o, m: [(o**2).mean(), 3 * m.weight.abs().sum(), -o.mean()]),
        (one_by_one, lambda o, m: [(o**2).mean(), *(p.abs().sum() for p in m.parameters())]),
    ],
    ids="one two scaled constant alpha sum stack in-place loop".split(),
)
def test_what_is_added_up_to_a_loss(step: Any, parts: Callable[[Tensor, nn.Linear], list[Tensor]]) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    with torch.no_grad():
        expected = sorted(float(part) for part in parts(model(X), model))
    found = measured(step)
    assert sorted(t.value for t in found.terms) == pytest.approx(expected, rel=1e-4)
    assert all(0 <= t.op < len(found.ops) for t in found.terms)


def test_sums_of_what_is_no_scalar_are_no_terms() -> None:
    (term,) = measured(lambda o, m: (o + o**2).mean()).terms
    assert term.op == 0


def test_a_loss_without_a_graph_has_one_term() -> None:
    assert len(measured(lambda o, m: o.mean().detach() + 1.0).terms) == 1
