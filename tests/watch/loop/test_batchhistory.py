"""What batches are made of, against those before: blocks that a loss swings with, and what one batch alone has."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli.records.apart import Apart, Kind
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Data, TapeEntry
from gradcheck_cli.watch.loop import batchhistory as module
from gradcheck_cli.watch.loop.batchhistory import KEPT, BatchHistory, Blocks

MODEL = nn.Linear(4, 1)


def passed(x: Tensor, y: Tensor, loss: float = 1.0) -> tuple[Backward, dict[str, Tensor]]:
    """A backward pass for a batch, as the tape has it."""
    model, last = TapeEntry(), TapeEntry()
    model.call, model.args, model.place = MODEL, [Data(x)], (passed.__code__, 1)
    last.call = F.cross_entropy if not y.is_floating_point() else F.mse_loss
    last.args, last.place = [None, Data(y)], (passed.__code__, 2)
    backward = Backward("backward", None, None)
    backward.entries, backward.values = [model, last], (torch.tensor(loss),)
    return backward, {"x": x, "target": y}


def fed(batches: BatchHistory, x: Tensor, y: Tensor, loss: float = 1.0) -> tuple[Backward, dict[str, Tensor]]:
    backward, batch = passed(x, y, loss)
    batches.began(backward)
    batches.ended(backward)
    return backward, batch


def drawn(target: Callable[[int], Tensor], loss: Callable[[int], float], count: int = 80) -> Blocks | None:
    torch.manual_seed(0)
    batches = BatchHistory()
    for n in range(count):
        fed(batches, torch.randn(16, 4), target(n), loss(n))
    return batches.blocks()


def test_sorted_targets_lie_between_batches_and_the_loss_swings_with_them() -> None:
    found = drawn(lambda n: (n % 20) / 20 + 0.05 * torch.randn(16, 1), lambda n: 9.0 if n % 20 == 0 else 1.0)
    assert found is not None
    assert found.share > 0.9
    assert found.swing > 0.5


def test_classes_in_blocks_are_as_good_as_sorted_numbers() -> None:
    found = drawn(lambda n: torch.full((16,), n // 10 % 4), lambda n: 5.0 if n % 10 == 0 else 0.1)
    assert found is not None
    assert found.share == pytest.approx(1.0)
    assert found.swing > 0.5


def test_shuffled_rows_leave_a_share_of_one_over_their_number() -> None:
    numbers = drawn(lambda n: torch.randn(16, 1), lambda n: 1.0 + n % 3)
    classes = drawn(lambda n: torch.randint(0, 4, (16,)), lambda n: 1.0 + n % 3)
    assert numbers is not None
    assert classes is not None
    assert max(numbers.share, classes.share) < 0.15


def test_a_loss_that_does_not_follow_the_blocks_does_not_swing_with_them() -> None:
    found = drawn(lambda n: torch.full((16,), n // 10 % 4), lambda n: 1.0 + 0.1 * (n % 7))
    assert found is not None
    assert abs(found.swing) < 0.5


def test_targets_that_run_away_are_no_blocks() -> None:
    """As where a model makes its own."""
    found = drawn(lambda n: 1.1**n + torch.randn(16, 1), lambda n: 1.2**n)
    assert found is not None
    assert (found.share > 0.9, found.swing) == (True, 0.0)


def test_too_few_batches_or_rows_tell_nothing() -> None:
    assert drawn(lambda n: torch.randn(16, 1), lambda n: 1.0, count=20) is None
    assert drawn(lambda n: torch.randn(1, 1), lambda n: 1.0) is None


def before(x: Callable[[], Tensor], y: Callable[[], Tensor], count: int = 40) -> BatchHistory:
    torch.manual_seed(0)
    batches = BatchHistory()
    for _ in range(count):
        fed(batches, x(), y())
    return batches


def plain() -> Tensor:
    return torch.randn(16, 4).clamp(-2, 2)


def labels() -> Tensor:
    return torch.arange(16) % 4


def test_a_row_that_is_larger_than_a_hundred_batches_is_told_with_them() -> None:
    batches, x = before(plain, lambda: torch.randn(16, 1), count=KEPT + 20), plain()
    x[5] = 4000.0
    told = batches.novel(*fed(batches, x, torch.randn(16, 1)), rows=(5,))
    assert told == Apart(name="x", rows=(5,), kind=Kind.ABOVE, value=4000.0, others=2.0, batches=KEPT)


def test_a_value_that_other_rows_hold_explains_nothing() -> None:
    batches, x = before(plain, labels), plain()
    x[5] = 4000.0
    assert batches.novel(*fed(batches, x, labels()), rows=(6,)) is None


def test_a_label_that_no_batch_had_is_told() -> None:
    batches, y = before(plain, labels), labels()
    y[3] = 255
    told = batches.novel(*fed(batches, plain(), y), rows=(3,))
    assert told == Apart(name="target", rows=(3,), kind=Kind.UNSEEN, value=255, others=3, batches=40)
    y[3] = -1
    told = batches.novel(*fed(batches, plain(), y), rows=None)
    assert told is not None
    assert (told.value, told.others) == (-1, 0)


def test_a_batch_that_is_far_longer_is_told_as_a_whole() -> None:
    batches = before(lambda: torch.randn(16, 10, 4).clamp(-2, 2), labels)
    told = batches.novel(*fed(batches, torch.randn(16, 400, 4).clamp(-2, 2), labels()), rows=None)
    assert told == Apart(name="x", rows=(), kind=Kind.LONGER, value=400, others=10, batches=40)
    assert batches.novel(*fed(batches, torch.randn(16, 12, 4).clamp(-2, 2), labels()), rows=None) is None


def test_a_row_of_zeros_is_told_where_there_was_none() -> None:
    batches, x = before(plain, labels), plain()
    x[2] = 0.0
    told = batches.novel(*fed(batches, x, labels()), rows=(2,))
    assert told is not None
    assert (told.kind, told.rows) == (Kind.ZERO, (2,))


def test_what_is_usual_is_not_told_nor_what_has_no_past() -> None:
    batches = before(plain, labels)
    assert batches.novel(*fed(batches, plain(), labels()), rows=None) is None
    young = before(plain, labels, count=5)
    assert young.novel(*fed(young, 1e6 * plain(), labels()), rows=None) is None


def test_where_most_rows_hold_it_the_batch_is_named_and_not_they() -> None:
    batches = before(plain, lambda: torch.zeros(16, dtype=torch.long))
    told = batches.novel(*fed(batches, plain(), torch.ones(16, dtype=torch.long)), rows=None)
    assert told is not None
    assert (told.name, told.rows) == ("target", ())


def test_values_that_are_not_finite_are_another_matter() -> None:
    batches, x = before(plain, labels), plain()
    x[2, 1] = float("nan")
    assert batches.novel(*fed(batches, x, labels()), rows=(2,)) is None


def test_later_batches_are_marked_in_runs_where_that_takes_a_small_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]

    def now() -> float:
        clock[0] += 1.0  # each mark takes a second
        return clock[0]

    monkeypatch.setattr(module, "perf_counter", now)
    batches = BatchHistory()
    marked: list[bool] = []

    def feed(count: int) -> None:
        for n in range(count):
            fed(batches, torch.randn(16, 4), torch.full((16, 1), float(n % 7)))
            marked.append(batches._now is not None)

    feed(module.FIRST + 200)
    assert all(marked[: module.FIRST - 1]) and not any(marked[module.FIRST :])
    assert batches.blocks() is None  # nothing is claimed of batches that were not looked at
    clock[0] *= 1000
    feed(200)
    assert sum(marked[-200:]) > KEPT
    assert batches.blocks() is not None
