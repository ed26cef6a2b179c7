import math

import pytest

from gradcheck_cli.records.choices import Decision, FailOn, Severity, Status
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.timeline.opinions import (
    confirmed,
    ended_at_chance,
    learning,
    refuted,
    still_open,
    undecided,
    with_findings,
)
from tests.timeline.sessions import exploding, falling, finding, step_report, suspicion, vitals

LIMITS = Thresholds()


@pytest.mark.parametrize(
    ("losses", "learned"),
    [
        (falling(160), True),
        (falling(160, start=2.31, end=2.0), False),
        (falling(10), None),
        ([0.7] * 100, False),
        ([-1.0] * 100, None),
        ([math.nan] * 100, None),
        ([*falling(100), *[math.nan] * 60], False),
    ],
    ids=["learned", "hardly", "short", "still", "negative", "nan", "broke"],
)
def test_whether_a_run_learned(losses: list[float], learned: bool | None) -> None:
    assert learning(vitals(losses), step_report(), LIMITS).learned is learned


@pytest.mark.parametrize("start", [1.8, -3.6], ids=["above", "below"])
def test_a_loss_below_what_any_of_its_kind_can_be_is_not_learned(start: float) -> None:
    labels = exploding(code="GC209", cause="label-range", evidence={"floor": 0.0})
    losses = [start - (4.2 + start) * i / 159 for i in range(160)]
    assert learning(vitals(losses), step_report(), LIMITS).learned is (True if start > 0 else None)
    found = learning(vitals(losses), step_report(labels), LIMITS)
    assert (found.learned, "none of its kind can be below 0" in found.told) == (False, True)
    assert learning(vitals(falling(160)), step_report(labels), LIMITS).learned


@pytest.mark.parametrize(
    ("ratios", "told"),
    [([2.0, 1.3, 1.16, 1.09], 1.09), ([2.0, 0.9, 1.3, 1.2, 1.09], None), ([2.0, 1.3, 1.2], None), ([1.0, 1.0], None)],
    ids=["comes-down-to-it", "was-below", "far-above", "few"],
)
def test_a_run_that_was_never_below_chance_and_ends_there(ratios: list[float], told: float | None) -> None:
    samples = [Sample(step=8 * i, loss=r, chance=1.0, after=r, update=1e-3) for i, r in enumerate(ratios, 1)]
    assert ended_at_chance(samples) == told


def test_its_numbers_are_told() -> None:
    assert learning(vitals(falling(160)), step_report(), LIMITS).told == "2.31 -> 0.139"
    assert "too short to tell: 2.31 -> " in learning(vitals(falling(10)), step_report(), LIMITS).told
    assert learning(vitals([1.0], loss=None), step_report(), LIMITS).told == "the run's loss could not be had"


def test_a_loss_that_began_far_above_chance_is_held_against_chance() -> None:
    """From 8252 down to 34 where a blind guess gives 0.69 is not learned."""
    losses = falling(400, start=8252.0, end=34.0)
    blind = exploding(evidence={"loss": 8252.0, "chance": 0.693})
    assert learning(vitals(losses), step_report(), LIMITS).learned
    found = learning(vitals(losses), step_report(blind), LIMITS)
    assert found.learned is False
    assert "0.693 at chance" in found.told


@pytest.mark.parametrize(
    ("evidence", "chance"),
    [
        ({"loss": 100.0, "loss_of_nothing": 5.0}, 5.0),
        ({"output_rms": 10.0, "target_rms": 1.0}, 1.0),
        ({"output_rms": 1.0, "target_rms": 50.0}, 100.0),
        ({"loss": math.inf, "chance": "unknown"}, 100.0),
    ],
)
def test_what_a_finding_knows_of_chance(evidence: dict[str, float | str], chance: float) -> None:
    end = 0.9 * chance
    found = learning(vitals([100.0, *[end] * 99]), step_report(exploding(evidence=evidence)), LIMITS)
    assert found.learned is False
    assert learning(vitals([100.0, *[0.8 * chance] * 99]), step_report(exploding(evidence=evidence)), LIMITS).learned


def test_skipped_updates_are_left_out() -> None:
    skipped = vitals([math.inf, math.inf], skipped=True)
    assert learning((*skipped, *vitals(falling(160))), step_report(), LIMITS).learned


def test_what_is_refuted_is_a_note_without_a_cure() -> None:
    told = refuted(exploding(), "it learned")
    assert (told.severity, told.remedies) == (Severity.NOTE, ())
    assert told.opinion is not None
    assert (told.opinion.decision, told.opinion.severity, told.opinion.told) == (
        Decision.REFUTED,
        Severity.ERROR,
        "it learned",
    )
    plain = exploding(severity=Severity.NOTE)
    assert refuted(plain, "x") is undecided(plain, "x") is plain


def test_a_suspicion_is_confirmed_or_left_open_and_others_stay() -> None:
    sure = confirmed(suspicion(Severity.WARNING), "it blew up")
    assert sure.severity is Severity.WARNING
    assert sure.opinion is not None and sure.opinion.decision is Decision.CONFIRMED
    assert sure.remedies
    unsure = still_open(suspicion(), "too short")
    assert unsure.severity is Severity.NOTE
    assert unsure.opinion is not None and unsure.opinion.told == "too short"
    assert still_open(sure, "x") is sure
    assert confirmed(exploding(), "x") == still_open(exploding(), "x") == exploding()


def test_a_report_follows_its_findings() -> None:
    report = step_report(exploding())
    assert (report.layers[0].status, report.status, report.exit_code) == ("GC301", Status.ILL, 1)
    well = with_findings(report, (refuted(exploding(), "x"),), FailOn.WARNING)
    assert (well.layers[0].status, well.status, well.exit_code) == ("ok", Status.HEALTHY, 0)
    again = with_findings(report, (finding(),), FailOn.NEVER)
    assert (again.layers[0].status, again.status, again.exit_code) == ("GC104", Status.ILL, 0)
