"""What a trial is called, by hand-written findings and numbers."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.choices import About, Family, Severity
from gradcheck_cli.records.judging import FindingNumber
from gradcheck_cli.records.report import Finding, Opinion, Remedy, Trial
from gradcheck_cli.trials.outcome import (
    RANK,
    Yardstick,
    gain,
    learned,
    measured_outcome,
    ranked,
    trained_outcome,
    trains_well,
)

SICK = Finding(
    code="GC201",
    rule="vanishing-depth",
    family=Family.VANISHING,
    severity=Severity.ERROR,
    layers=("0",),
    cause="depth",
    message="",
    evidence={},
)


DOUBTED = replace(SICK, severity=Severity.NOTE, opinion=Opinion(about=About.WHOLE, severity=Severity.ERROR))


def number(badness: float) -> FindingNumber:
    return FindingNumber(value=-badness, unit="decades", badness=badness)


@pytest.mark.parametrize(
    ("left", "before", "after", "outcome"),
    [
        ([], 8, 1, "fixed"),
        ([], 8, 8, "no-effect"),  # told in another way, and no better
        ([SICK], 8, 5, "helps"),
        ([SICK], 8, 7.8, "no-effect"),
        ([SICK], 8, 9, "worse"),
        ([replace(SICK, severity=Severity.NOTE)], 8, 1, "fixed"),
        ([DOUBTED], 8, 5, "helps"),
        ([replace(DOUBTED, code="GC303")], 8, 0, "fixed"),
        ([replace(SICK, code="GC303")], 8, 0, "worse"),
    ],
)
def test_outcomes_by_measurement(left: list[Finding], before: float, after: float, outcome: str) -> None:
    assert measured_outcome(SICK, [SICK], left, (number(before), number(after)))[0] == outcome


def test_a_finding_that_was_there_before_is_no_new_one() -> None:
    other = replace(SICK, code="GC403")
    assert measured_outcome(SICK, [SICK, other], [other], (None, None)) == ("fixed", "")


def test_without_a_number_only_the_finding_counts() -> None:
    assert measured_outcome(SICK, [SICK], [SICK], (None, number(1)))[0] == "no-effect"


@pytest.mark.parametrize(
    ("without", "trained", "outcome"),
    [
        (2.3, 0.4, "helps"),
        (2.3, 2.29, "no-effect"),
        (2.3, 2.6, "worse"),
        (float("inf"), 1e9, "helps"),
        (2.3, float("inf"), "worse"),
        (float("inf"), float("inf"), "no-effect"),
        (0.0, 0.01, "no-effect"),
        (-1.0, -2.0, "helps"),
        (-2.0, -1.0, "worse"),
    ],
)
def test_outcomes_by_training(without: float, trained: float, outcome: str) -> None:
    assert trained_outcome(without, trained, start=2.3) == outcome


def remedies(*trials: Trial) -> list[Remedy]:
    return [Remedy(id=str(place), title="", detail="", trial=trial) for place, trial in enumerate(trials)]


def order(trials: list[Trial], unit: float | None = None) -> list[int]:
    return [int(remedy.id) for remedy in ranked(remedies(*trials), Yardstick(unit=unit))]


def trained(outcome: str, loss: float, without: float = 3.0, **fields: Any) -> Trial:
    return Trial(outcome=outcome, loss_without=without, loss_with=loss, **fields)


@given(st.lists(st.tuples(st.sampled_from(sorted(RANK)), st.floats(0, 10)), max_size=8), st.sampled_from((None, 3.0)))
def test_the_best_outcome_comes_first(drawn: list[tuple[str, float]], unit: float | None) -> None:
    trials = [trained(outcome, loss) for outcome, loss in drawn]
    found = order(trials, unit)
    assert sorted(found) == list(range(len(trials)))
    well = [trains_well(trials[place]) and trials[place].outcome in ("fixed", "helps") for place in found]
    assert well == sorted(well, reverse=True)
    for confirmed in (True, False):
        outcomes = [RANK[trials[p].outcome] for p, is_well in zip(found, well, strict=True) if is_well is confirmed]
        assert outcomes == sorted(outcomes)


def test_what_training_confirms_comes_before_what_only_measures_well() -> None:
    assert order([trained("fixed", 3.0), trained("fixed", 0.5)]) == [1, 0]
    assert order([trained("fixed", 3.0), trained("helps", 0.5)]) == [1, 0]
    assert order([trained("helps", 0.1), trained("fixed", 0.5)]) == [1, 0]


def test_a_better_recipe_alone_confirms_no_edit() -> None:
    recipe = trained("helps", 0.1, unit="loss after 20 steps")
    assert order([recipe, trained("fixed", 3.0)]) == [1, 0]


def test_a_better_recipe_that_ends_above_no_prediction_comes_after_what_was_not_tried() -> None:
    recipe = trained("helps", 50.0, math.inf, unit="loss after 20 steps")
    waiting = Trial(note="it is a line of yours")
    for nothing, first in ((1.0, 1), (100.0, 0)):
        found = ranked(remedies(recipe, waiting), Yardstick(nothing=nothing))
        assert found[0].id == str(first)


def test_losses_that_are_close_leave_the_order_to_the_cause() -> None:
    assert order([trained("fixed", 0.2), trained("fixed", 0.1)]) == [1, 0]
    assert order([trained("fixed", 0.4), trained("fixed", 0.2)], unit=3.0) == [0, 1]
    assert order([trained("fixed", 1.2), trained("fixed", 0.1)], unit=3.0) == [1, 0]


def test_what_was_not_trained_comes_last_among_its_like() -> None:
    assert order([Trial(outcome="fixed"), trained("fixed", 2.9)]) == [1, 0]


@pytest.mark.parametrize(
    ("without", "loss", "well"),
    [(3.0, 2.0, True), (3.0, 2.9, False), (math.inf, 5.0, True), (math.inf, math.inf, False), (-1.0, -2.0, True)],
)
def test_training_confirms_what_ends_clearly_lower(without: float, loss: float, well: bool) -> None:
    assert trains_well(trained("fixed", loss, without)) is well


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((1.0, 2.0), 0.5),
        ((-3.0, -2.0), 0.5),
        ((-1.0, 2.0), 1.5),
        ((1.0, 0.0), None),
        ((math.nan, 2.0), None),
        ((1.0, math.inf), None),
        (None, None),
    ],
)
def test_what_is_gained_on_one_answer_for_every_sample(
    answers: tuple[float, float] | None, expected: float | None
) -> None:
    assert gain(answers) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((2.3, 2.3), (1.95, 2.3), True),
        ((2.3, 2.3), (1.96, 2.3), False),
        ((0.4, 2.3), (0.5, 2.3), False),
        ((0.0, -1.0), (-1.2, -1.0), True),
        ((2.3, 2.3), None, False),
        (None, (0.1, 2.3), False),
    ],
)
def test_learned_is_well_below_it_and_lower_than_at_the_start(
    before: tuple[float, float] | None, after: tuple[float, float] | None, expected: bool
) -> None:
    assert learned(before, after) is expected
