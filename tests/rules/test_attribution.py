"""What takes the blame: at least half of what was lost or won, and nobody by default."""

from __future__ import annotations

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.rules.attribution import SCALE_OF_THE_LOSS, UNKNOWN, WEIGHTS, Blame, blamed, largest
from tests.rules.chains import BODY, FIRST, deep


@pytest.mark.parametrize(
    ("parts", "cause"),
    [
        ({"a": [(0, -5.0)], "b": [(1, -4.0)]}, "a"),
        ({"a": [(0, -4.0)], "b": [(1, -3.0)], "c": [(2, -3.0)]}, UNKNOWN),
        ({"a": [(0, -5.0), (3, 4.0)], "b": [(1, -2.0)]}, "b"),  # what is won again by the same means is not lost
        ({"a": [(0, -1.0)], SCALE_OF_THE_LOSS: [(1, -9.0)]}, "a"),
        ({WEIGHTS: [(0, 20.0)], "norm-depth": [(1, -21.0)], "a": [(2, -3.0)]}, "a"),
        ({WEIGHTS: [(0, -4.0)], "norm-depth": [(1, 1.0)], "a": [(2, -2.0)]}, WEIGHTS),
        ({"a": [(0, 5.0)]}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_the_largest_part_is_the_cause_where_it_is_half_of_all(
    parts: dict[str, list[tuple[int, float]]], cause: str
) -> None:
    assert largest(parts, 0.5, sign=-1).cause == cause


def test_the_factors_that_are_blamed_come_worst_first_and_have_a_sum() -> None:
    blame = largest({"a": [(0, -1.0), (1, -3.0), (2, 0.5)]}, 0.5, sign=-1)
    assert blame == Blame("a", ((1, -3.0), (0, -1.0), (2, 0.5)))
    assert blame.decades == -3.5
    assert Blame(UNKNOWN).decades == 0


def test_what_is_won_is_told_by_the_same_measure() -> None:
    assert largest({"a": [(0, 5.0), (1, 1.0)], "b": [(2, -9.0)]}, 0.5) == Blame("a", ((0, 5.0), (1, 1.0)))


def test_a_layer_is_held_against_what_the_healthiest_one_does_not_lose() -> None:
    evidence = gather(deep(("SigmoidBackward0", 1e-6), ("MmBackward0", 1.0), signal=1e-9, loss=1e-9))
    account = evidence.paths.strongest(BODY)
    assert account is not None
    blame = blamed(evidence, evidence.groups_lost(account))
    assert (blame.cause, blame.factors) == ("saturating-activation", ((FIRST, pytest.approx(-6)),))
