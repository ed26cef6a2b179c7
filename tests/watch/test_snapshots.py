"""Parameters and optimiser state as they were every K steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Adam

from gradcheck_cli.watch.attempts import Attempt
from gradcheck_cli.watch.snapshots import Snapshots


def attempt() -> Attempt:
    model = nn.Linear(3, 2)
    return Attempt(Adam(model.parameters(), lr=0.1), 0, 1, None)


def nth(made: Attempt, own_step: int) -> Attempt:
    return made._replace(own_step=own_step)


def step(made: Attempt) -> None:
    for parameter in made.parameters():
        parameter.grad = torch.ones_like(parameter)
    made.optimizer.step()


def test_none_are_kept_unless_asked_for() -> None:
    snapshots, made = Snapshots(None), attempt()
    snapshots.see(4, made, finite=True)
    assert snapshots.of(0) is None


def test_the_newest_is_kept_and_does_not_move_with_the_run() -> None:
    snapshots, made = Snapshots(2), attempt()
    (weight, _) = made.parameters()
    step(made)
    values: dict[int, Tensor] = {}
    for number in range(1, 6):
        snapshots.see(number, nth(made, number), finite=True)
        values[number] = weight.detach().clone()
        step(made)
    snapshot = snapshots.of(0)
    assert snapshot is not None and snapshot.step == 4
    assert torch.equal(snapshot.values[id(weight)], values[4])
    assert snapshot.state[id(weight)]["step"] == 4 and made.optimizer.state[weight]["step"] == 6
    start = snapshot.start({}, {id(weight): weight})
    assert torch.equal(start.values[id(weight)], values[4]) and set(start.state[id(weight)]) == {
        "step",
        "exp_avg",
        "exp_avg_sq",
    }


def test_the_first_step_is_kept_whatever_its_number_and_one_that_is_not_finite_never() -> None:
    snapshots, made = Snapshots(100), attempt()
    snapshots.see(7, made, finite=False)
    assert snapshots.of(0) is None
    snapshots.see(8, made, finite=True)
    snapshots.see(100, nth(made, 100), finite=False)
    snapshot = snapshots.of(0)
    assert snapshot is not None and snapshot.step == 8


def test_updates_of_one_optimiser_count() -> None:
    """In a game its updates are every second step."""
    snapshots, made = Snapshots(2), attempt()
    for own_step in range(1, 5):
        snapshots.see(2 * own_step - 1, nth(made, own_step), finite=True)
    snapshot = snapshots.of(0)
    assert snapshot is not None and snapshot.step == 7


def test_a_parameter_that_came_later_has_no_value_of_before() -> None:
    snapshots, made = Snapshots(1), attempt()
    snapshots.see(1, made, finite=True)
    late = nn.Parameter(torch.ones(2))
    snapshot = snapshots.of(0)
    assert snapshot is not None and not snapshot.on({id(late): late})
