"""What a change of an update comes to, against the update as the run makes it."""

from __future__ import annotations

import math

import pytest

from gradcheck_cli.records.codec import decode, encode
from gradcheck_cli.records.retrying import Held, Retried, UpdateChange, UpdateVariant


def retried(*losses: float | None, loss: float = 2.0, usual: float | None = None, size: float | None = 1e-3) -> Retried:
    """The update as the run makes it, then with a lower rate."""
    changes = [UpdateChange.AS_RUN] + [UpdateChange.LOWER_RATE] * (len(losses) - 1)
    tried = tuple(
        UpdateVariant(change=change, loss=each, size=size) for change, each in zip(changes, losses, strict=True)
    )
    return Retried(step=3, loss=loss, usual=usual, tried=tried)


@pytest.mark.parametrize(
    ("after", "harms"),
    [(1.9, False), (2.0, False), (2.019, False), (2.03, True), (math.inf, True), (math.nan, True), (None, True)],
)
def test_an_update_harms_where_it_raises_its_own_loss_by_a_hundredth(after: float | None, harms: bool) -> None:
    assert retried(after).harms is harms


@pytest.mark.parametrize(("size", "harms"), [(5e-3, False), (1.1e-2, True), (math.nan, True), (None, False)])
def test_an_update_harms_where_it_is_ten_times_its_usual_size(size: float | None, harms: bool) -> None:
    assert retried(1.9, usual=1e-3, size=size).harms is harms
    assert not retried(1.9, usual=None, size=size).harms


@pytest.mark.parametrize(
    ("after", "outcome"),
    [
        (1.9, "fixed"),
        (2.01, "fixed"),
        (3.0, "helps"),
        (6.0, "helps"),
        (9.0, "no-effect"),
        (10.0, "no-effect"),
        (18.0, "worse"),
        (math.inf, "worse"),
        (math.nan, "worse"),
        (None, "not-tried"),
    ],
)
def test_a_change_is_judged_by_what_is_left_of_the_rise(after: float | None, outcome: str) -> None:
    """The loss goes from 2 to 10: a rise by 8, of which a change that helps leaves 4 at most."""
    found = retried(10.0, after)
    assert found.outcome(found.tried[1]) == outcome


def test_nothing_finite_is_no_worse_than_nothing_finite() -> None:
    found = retried(math.nan, math.inf)
    assert found.outcome(found.tried[1]) == "no-effect"


@pytest.mark.parametrize(("size", "outcome"), [(3e-3, "fixed"), (4e-3, "helps"), (0.02, "no-effect"), (0.2, "worse")])
def test_an_oversize_update_is_judged_by_its_size(size: float, outcome: str) -> None:
    tried = UpdateVariant(change=UpdateChange.CLIPPED, loss=1.95, size=size)
    found = Retried(
        step=1, loss=2.0, usual=1e-3, tried=(UpdateVariant(change=UpdateChange.AS_RUN, loss=1.9, size=3e-2), tried)
    )
    assert found.oversize and not found.raises
    assert found.outcome(tried) == outcome


def test_where_the_update_is_well_no_change_has_an_effect() -> None:
    found = retried(1.9, 1.8)
    assert found.outcome(found.tried[1]) == "no-effect"


@pytest.mark.parametrize(
    ("after", "outcome"),
    [(1.98, "helps"), (1.9985, "no-effect"), (2.1, "worse"), (math.nan, "worse"), (2.0, "no-effect")],
)
def test_a_larger_rate_has_to_lower_the_loss_twice_as_far(after: float, outcome: str) -> None:
    tried = UpdateVariant(change=UpdateChange.HIGHER_RATE, loss=after, size=1e-5)
    found = Retried(step=1, loss=2.0, tried=(UpdateVariant(change=UpdateChange.AS_RUN, loss=1.999, size=1e-6), tried))
    assert found.moves_nothing and found.outcome(tried) == outcome


def test_nothing_tried_is_nothing_known() -> None:
    found = Retried(step=1, why="by hand")
    assert found.as_run is None and not found.harms and not found.moves_nothing


def test_it_comes_back_from_json() -> None:
    found = Retried(
        step=3, loss=math.inf, rows=(1, 2), held=Held(step=1, loss=0.5, now=math.nan), tried=retried(1.0).tried
    )
    back = decode(Retried, encode(found))
    assert repr(back) == repr(found)
