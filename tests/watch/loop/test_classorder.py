"""Classes that come one after the other, told from classes that are mixed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
import torch

from gradcheck_cli.watch.loop.classorder import ByClass, ClassOrder


def fed(batches: Iterable[Sequence[int]], losses: Sequence[float] = ()) -> ClassOrder:
    order = ClassOrder()
    for place, batch in enumerate(batches):
        loss = torch.tensor(losses[place]) if place < len(losses) else None
        order.see(Counter(batch), loss, None)
    return order


def sliced(labels: Sequence[int], size: int) -> list[Sequence[int]]:
    return [labels[low : low + size] for low in range(0, len(labels), size)]


SORTED = [label for label in range(4) for _ in range(100)]


def test_slices_of_sorted_labels_come_by_class() -> None:
    order = fed(sliced(SORTED, 16) * 2)
    told = order.by_class
    assert (told.batches, told.changes, order.over) == (50, 7, False)
    assert 40 <= told.pure < 50 and told.share > 0.9


def test_mixed_labels_end_it_early() -> None:
    mixed = SORTED.copy()
    random.Random(0).shuffle(mixed)
    order = fed(sliced(mixed, 16)[:12])
    assert order.over and order.by_class == ByClass()


def test_a_rare_class_makes_pure_batches_by_chance() -> None:
    draw = random.Random(0)
    order = fed([[int(draw.random() < 0.002) for _ in range(16)] for _ in range(400)])
    assert not order.over and order.by_class == ByClass()


def test_one_class_and_classes_by_turns_are_no_order() -> None:
    assert fed([[1] * 16] * 30).by_class == ByClass()
    assert fed([[place % 2] * 16 for place in range(30)]).by_class == ByClass()


def test_few_labels_are_of_one_class_by_chance() -> None:
    assert fed([[place // 10] * 4 for place in range(40)]).by_class == ByClass()


def test_the_loss_jumps_at_a_change_where_it_passes_the_last_one_and_the_first() -> None:
    blocks = [[label] * 16 for label in (0, 1, 2, 0) for _ in range(4)]
    jumps = [1.0, 0.5, 0.2, 0.1, 3.0, 2.0, 0.3, 0.1, 0.5, 2.0, 0.2, 0.1, 0.6, 0.9, 2.0, 0.1]
    assert fed(blocks, jumps).by_class.rises == 2  # at the fourth change it passed the first too late
    assert fed(blocks, [4.0, *jumps[1:]]).by_class.rises == 0


@pytest.mark.parametrize(("mixed", "over"), [(6, False), (14, True)])
def test_more_than_ten_mixed_batches_of_the_first_twenty_end_it(mixed: int, over: bool) -> None:
    halves, block = [0] * 4 + [1] * 4, [[0] * 8] * 20 + [[1] * 8] * 20
    assert fed([halves] * mixed + block).over is over
