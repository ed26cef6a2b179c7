"""The bad rows of a batch: found exactly where they are few, in few passes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.watch.samples import MOST_PASSES, MOST_SHARE, bad_rows, rows_in, without


class Batch:
    """A batch with some bad rows, which counts how often it is asked."""

    def __init__(self, bad: set[int]) -> None:
        self.bad, self.passes = bad, 0

    def __call__(self, kept: Sequence[int]) -> bool:
        self.passes += 1
        assert len(set(kept)) == len(kept)
        return bool(self.bad & set(kept))


@pytest.mark.parametrize("rows", [2, 3, 4, 5, 6, 7, 8, 9])
def test_every_pattern_of_a_small_batch(rows: int) -> None:
    most = max(1, int(MOST_SHARE * rows))
    for pattern in range(1, 2**rows):
        bad = {row for row in range(rows) if pattern >> row & 1}
        assert bad_rows(rows, Batch(bad)) == (tuple(sorted(bad)) if len(bad) <= most else None), bad


@given(st.integers(2, 512), st.data())
@settings(max_examples=200)
def test_one_bad_row_is_found_in_about_two_passes_a_halving(rows: int, data: st.DataObject) -> None:
    batch = Batch({data.draw(st.integers(0, rows - 1))})
    assert bad_rows(rows, batch) == tuple(batch.bad)
    assert batch.passes <= 2 * math.ceil(math.log2(rows)) + 1


@given(st.integers(8, 256), st.data())
@settings(max_examples=200)
def test_few_bad_rows_are_found_exactly_or_it_is_said_that_they_are_not(rows: int, data: st.DataObject) -> None:
    some = st.sets(st.integers(0, rows - 1), min_size=1, max_size=rows)
    batch = Batch(data.draw(some))
    found = bad_rows(rows, batch)
    assert batch.passes <= MOST_PASSES
    if len(batch.bad) > MOST_SHARE * rows:
        assert found is None
    else:
        assert found in (tuple(sorted(batch.bad)), None)
        needed = len(batch.bad) * 2 * math.ceil(math.log2(rows)) + 1
        assert found is not None or needed > MOST_PASSES


def test_of_rows_that_are_bad_only_together_one_is_enough() -> None:
    assert bad_rows(16, lambda kept: {3, 11} <= set(kept)) == (11,)


def test_a_batch_that_is_bad_whatever_is_left_out_blames_no_row() -> None:
    assert bad_rows(32, lambda kept: True) is None
    assert bad_rows(32, lambda kept: len(kept) > 8) is None


# -- batches


def test_the_rows_of_a_batch_are_what_most_tensors_have() -> None:
    x, y = torch.zeros(8, 3), torch.zeros(8, dtype=torch.long)
    assert rows_in((x, y)) == 8
    assert rows_in((torch.zeros(5), x, y)) == 8
    assert rows_in((x, torch.zeros(24))) == 8
    assert rows_in((torch.tensor(1.0), "text", None)) is None
    assert rows_in((torch.zeros(1, 4),)) is None


def test_every_tensor_of_a_row_each_is_cut_and_the_others_stay() -> None:
    x, y, weight = torch.arange(12.0).reshape(4, 3), torch.arange(4), torch.ones(7)
    one, two, three, text = without((x, y, weight, "text"), 4, [3, 0])
    assert torch.equal(one, x[[0, 3]]) and two.tolist() == [0, 3]
    assert three is weight and text == "text"


def test_labels_that_were_put_end_to_end_are_cut_by_their_lengths() -> None:
    """CTC: logits (B, T, C), targets (sum of lengths), input lengths and target lengths (B)."""
    lengths = torch.tensor([2, 0, 3, 1])
    labels = torch.tensor([10, 11, 30, 31, 32, 40])
    logits, frames = torch.zeros(4, 9, 5), torch.full((4,), 9)
    _, cut, of_frames, of_labels = without((logits, labels, frames, lengths), 4, [1, 2, 3])
    assert cut.tolist() == [30, 31, 32, 40]
    assert of_labels.tolist() == [0, 3, 1] and of_frames.tolist() == [9, 9, 9]
    _, cut, *_ = without((logits, labels, frames, lengths), 4, [0, 1])
    assert cut.tolist() == [10, 11]


def test_classes_whose_sum_is_a_length_by_chance_do_cut_only_what_has_that_length() -> None:
    classes = torch.tensor([1, 0, 2, 0])
    other = torch.arange(5)
    _, kept = without((classes, other), 4, [0, 1])
    assert kept is other


def test_a_row_that_learns_is_cut_without_its_graph() -> None:
    x = torch.ones(4, 2, requires_grad=True)
    (cut,) = without((x,), 4, [0])
    assert cut.shape == (1, 2) and cut.is_leaf


@pytest.mark.parametrize("at", [0, 1, 30, 63])
def test_a_real_step_with_one_bad_row(at: int) -> None:
    x = torch.randn(64, 5)
    x[at, 2] = math.nan
    target = torch.randn(64, 1)
    weight = torch.randn(5, 1)

    def is_bad(kept: Sequence[int]) -> bool:
        inputs, wanted = without((x, target), 64, kept)
        return not math.isfinite(float((inputs @ weight - wanted).square().mean()))

    assert bad_rows(64, is_bad) == (at,)
