"""What a trial is called, by hand-written findings and numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.judging import Reading
from gradcheck_cli.records.report import Finding, Remedy, Trial
from gradcheck_cli.trials.outcome import RANK, measured_outcome, ranked, trained_outcome

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


def number(badness: float) -> Reading:
    return Reading(value=-badness, unit="decades", badness=badness)


@pytest.mark.parametrize(
    ("left", "before", "after", "outcome"),
    [
        ([], 8, 1, "fixed"),
        ([SICK], 8, 5, "helps"),
        ([SICK], 8, 7.8, "no-effect"),
        ([SICK], 8, 9, "worse"),
        ([replace(SICK, severity=Severity.NOTE)], 8, 1, "fixed"),
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


@given(st.lists(st.tuples(st.sampled_from(sorted(RANK)), st.floats(0, 10)), max_size=8))
def test_the_best_outcome_comes_first(trials: list[tuple[str, float]]) -> None:
    remedies = [
        Remedy(id=str(i), title="", detail="", trial=Trial(outcome=outcome, loss_without=3.0, loss_with=loss))
        for i, (outcome, loss) in enumerate(trials)
    ]
    order = ranked(remedies)
    assert sorted(r.id for r in order) == sorted(r.id for r in remedies)
    keys = [(RANK[r.trial.outcome], r.trial.loss_with) for r in order]
    assert keys == sorted(keys)
