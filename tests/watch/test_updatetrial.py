"""What batches cost with other parameters, and their gradients there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradcheck_cli.records.retrying import UpdateChange, UpdateVariant
from gradcheck_cli.watch.attempts import Attempt
from gradcheck_cli.watch.copyupdate import here
from gradcheck_cli.watch.updatetrial import UpdateTrial
from tests.watch.test_diagnosing import line, mean_square, step_of


def trial(*targets: list[float], rows: tuple[int, ...] = (), weight: float = 3.0) -> tuple[UpdateTrial, nn.Parameter]:
    """L = mean (w x - y)^2 at x = 1 for each list of y, under SGD of rate 0.1."""
    model = line(weight)
    steps = [step_of(model, mean_square, torch.ones(len(y), 1), torch.tensor(y).unsqueeze(1)) for y in targets]
    (parameter,) = model.parameters()
    return UpdateTrial(Attempt(SGD([parameter], lr=0.1), 0, 1, None), steps, rows), parameter


def at(parameter: nn.Parameter, value: float) -> dict[int, Tensor]:
    return {id(parameter): torch.full((1, 1), value)}


def test_losses_and_gradients_with_other_parameters() -> None:
    """(w - y)^2 for y = 0 and y = 2: at w = 5 these are 25 and 9, their slopes 10 and 6."""
    found, parameter = trial([0.0], [2.0])
    assert found.loss(at(parameter, 5.0), found.steps) == 17.0
    assert found.loss(None, found.steps) == 5.0
    gradients = found.gradients(at(parameter, 5.0), found.steps)
    assert gradients[id(parameter)].item() == 16.0
    assert parameter.item() == 3.0 and parameter.grad is None
    assert found.passes == 2 + 2 + 4


def test_the_other_rows_are_what_an_update_is_judged_by() -> None:
    found, parameter = trial([3.0, 1000.0, 1.0], rows=(1,))
    assert found.rows == (1,) and found.loss(None, found.witness) == 2.0
    parameter.grad = torch.full((1, 1), -600.0)
    start = here(found.attempt)
    as_run = found.make(start, UpdateVariant(change=UpdateChange.AS_RUN))
    assert as_run.loss == pytest.approx((60.0**2 + 62.0**2) / 2)
    alone = found.make(start, UpdateVariant(change=UpdateChange.WITHOUT_ROWS))
    assert alone.loss == pytest.approx((0.2**2 + 1.8**2) / 2, rel=1e-5) and alone.size == pytest.approx(0.2 / 3)


@pytest.mark.parametrize("targets", [([1.0, 2.0], [3.0, 4.0]), ([1.0],)])
def test_of_several_steps_or_a_single_row_none_is_left_out(targets: tuple[list[float], ...]) -> None:
    found, _ = trial(*targets, rows=(0,))
    assert found.rows == () and found.witness is found.steps


def test_a_batch_that_cannot_be_taken_costs_nothing_that_is_known() -> None:
    model = line(1.0)

    def broken(model: nn.Module, x: Tensor) -> Tensor:
        raise ValueError

    found = UpdateTrial(
        Attempt(SGD(model.parameters(), lr=0.1), 0, 1, None), [step_of(model, broken, torch.ones(2, 1))], ()
    )
    assert found.loss(None, found.steps) is None
