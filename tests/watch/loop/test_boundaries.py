"""Constants by which the faults of a loop are known, with what lies just short of each and just beyond.

`python -m tests.mutation --loop` moves them by a factor of 3 and looks whether a test notices.
"""

from __future__ import annotations

import pytest
import torch

from gradcheck_cli.records.apart import Kind
from gradcheck_cli.watch.loop.classorder import ByClass
from gradcheck_cli.watch.loop.facts import Facts
from gradcheck_cli.watch.loop.holdings import is_fresh
from gradcheck_cli.watch.loop.labels import Labels
from gradcheck_cli.watch.loop.loopfaults import LoopFaults
from gradcheck_cli.watch.loop.signs import in_blocks, one_class
from tests.watch.loop.test_batchhistory import before, drawn, fed, labels
from tests.watch.loop.test_labels import given


@pytest.mark.parametrize(("rows", "known"), [(6, False), (10, True)])
def test_the_mean_of_eight_targets_says_something_of_a_batch(rows: int, known: bool) -> None:
    assert (drawn(lambda n: torch.randn(rows, 1), lambda n: 1.0 + n % 3) is not None) is known


@pytest.mark.parametrize(("length", "kinds"), [(15, []), (30, [Kind.LONGER])])
def test_a_batch_is_longer_from_twice_what_was_the_longest(length: int, kinds: list[Kind]) -> None:
    history = before(lambda: torch.randn(16, 10, 4).clamp(-2, 2), labels)
    told = history.novel(*fed(history, torch.randn(16, length, 4).clamp(-2, 2), labels()), rows=None)
    assert [each.kind for each in (told,) if each is not None] == kinds


@pytest.mark.parametrize(("returning", "swings"), [(0.95, True), (0.8, False)])
def test_targets_come_back_where_nine_of_ten_later_batches_are_as_before(returning: float, swings: bool) -> None:
    """Two values by turns of five, of which the later half sees a third one at its end."""

    def target(n: int) -> torch.Tensor:
        value = 5.0 if n >= 40 + round(40 * returning) else float(n // 5 % 2)
        return value + 0.01 * torch.linspace(-1, 1, 16)[:, None]

    found = drawn(target, lambda n: 9.0 if n % 5 == 0 else 1.0)
    assert found is not None and bool(found.swing) is swings


def test_a_loss_that_takes_five_batches_to_get_used_to_a_block_follows_the_targets() -> None:
    found = drawn(lambda n: torch.full((16,), n // 10 % 2), lambda n: 0.1 + max(5 - n % 10, 0))
    assert found is not None and found.swing > 0.95


@pytest.mark.parametrize(("count", "known"), [(40, False), (100, True)])
def test_sixty_four_numbers_tell_that_they_were_drawn(count: int, known: bool) -> None:
    assert is_fresh(torch.linspace(-1, 1, count)) is known


@pytest.mark.parametrize(("spread", "fresh"), [(0.99, True), (0.96, False)])
def test_the_spread_of_what_was_drawn_lies_within_a_fiftieth_of_1(spread: float, fresh: bool) -> None:
    values = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    assert is_fresh(values / values.square().mean().sqrt() * spread) is fresh


@pytest.mark.parametrize(("share", "rests"), [(0.7 * 2**-24, True), (1.5 * 2**-24, False)])
def test_a_rate_rests_where_it_moves_no_float32_that_it_moved_before(share: float, rests: bool) -> None:
    loop, rates = LoopFaults(), [0.1] * 5 + [0.1 * share] * 60
    facts = [Facts(step=n, own_step=n, rate=rate) for n, rate in enumerate(rates, start=1)]
    assert ("GC672" in [found.code for each in facts for found in loop.see(each)]) is rests


@pytest.mark.parametrize(("rows", "blocks"), [(6, 0), (10, 8)])
def test_fewer_than_eight_labels_are_of_one_class_by_chance(rows: int, blocks: int) -> None:
    zeros, ones = torch.zeros(rows, dtype=torch.long), torch.ones(rows, dtype=torch.long)
    assert given(Labels(), *[zeros] * 4, *[ones] * 4).order.by_class.batches == blocks


@pytest.mark.parametrize(("labels", "told"), [(3000, False), (5000, True)])
def test_of_four_thousand_labels_one_would_be_of_a_rare_class(labels: int, told: bool) -> None:
    assert (one_class(Facts(step=1, own_step=1, labels=labels)) is not None) is told


@pytest.mark.parametrize(("batches", "told"), [(15, False), (25, True)])
def test_twenty_batches_of_one_class_each_are_how_the_data_comes(batches: int, told: bool) -> None:
    by_class = ByClass(batches, batches, 2, 0, 1.0)
    assert (in_blocks(Facts(step=1, own_step=1, by_class=by_class)) is not None) is told
