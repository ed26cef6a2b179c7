"""Who made what is not finite, by the memory that it lies in."""

from __future__ import annotations

import math

import pytest
import torch

from gradcheck_cli.probe.taint import NOBODY, Source, TaintTracker, first, standing, suspects

OP, LATER = Source(order=1), Source(order=2)
WRITTEN = Source(order=0, weak=True)
DATA = Source(order=-1, kind="batch", name="batch.0", value="nan")


def test_views_share_what_is_known_of_their_memory_and_copies_do_not():
    ledger, tensor = TaintTracker(), torch.zeros(4, 2)
    ledger.add(tensor[1], frozenset((OP,)))
    assert ledger.of(tensor.T) == {OP}
    assert ledger.of(tensor.clone()) == NOBODY
    assert ledger.of_all([tensor, tensor.clone()]) == {OP}


def test_sources_of_one_memory_add_up_until_all_of_it_is_written_over():
    ledger, tensor = TaintTracker(), torch.zeros(4)
    ledger.add(tensor, frozenset((OP,)))
    ledger.add(tensor, frozenset((LATER,)))
    ledger.forget(tensor[:2])
    assert ledger.of(tensor) == {OP, LATER}
    ledger.forget(tensor)
    assert ledger.of(tensor) == NOBODY


def test_a_sparse_tensor_is_known_by_itself():
    ledger, tensor = TaintTracker(), torch.eye(3).to_sparse()
    ledger.add(tensor, frozenset((OP,)))
    assert ledger.of(tensor) == {OP}


def test_the_first_that_is_not_meant_is_to_blame():
    assert first((LATER, WRITTEN, OP)) is OP
    assert first((WRITTEN,)) is WRITTEN
    assert first((OP, DATA)) is DATA
    assert first(()) is None


def test_suspects_are_those_that_are_not_meant_in_order_and_each_once():
    again = Source(order=-1, kind="batch", name="batch.0", value="nan")
    assert suspects((LATER, WRITTEN, OP, DATA)) == [DATA, OP, LATER]
    assert len(suspects((DATA, again))) == 1
    assert suspects((WRITTEN,)) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1.0, 2.0], None),
        ([1.0, -math.inf], ("inf", True)),
        ([math.inf, -math.inf], ("inf", False)),
        ([math.nan, -math.inf], ("nan", False)),
    ],
)
def test_only_minus_inf_is_what_masks_are_made_of(values: list[float], told: tuple[str, bool] | None):
    source = standing("buffer", "mask", torch.tensor(values))
    assert (None if source is None else (source.value, source.weak)) == told


def test_of_one_tensor_that_came_in_twice_the_first_time_counts() -> None:
    late, early = (Source(order=-1, kind="parameter", name="w", entered=place) for place in (7, 3))
    assert first([late, early]) is early is first([early, late])
    assert suspects([late, early]) == suspects([early, late]) == [early]
