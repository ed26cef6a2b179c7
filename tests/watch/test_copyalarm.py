"""Copies that come late are told once, when two samples in a row show them."""

from __future__ import annotations

from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import Judged, Outcome, Raised, Vital
from gradcheck_cli.watch.copyalarm import CopyAlarm


def fed(*copies: dict[str, float] | None) -> tuple[list[Raised], tuple[Judged, ...]]:
    """One sample every ten updates."""
    copied, raised = CopyAlarm(), []
    for n in range(1, 10 * len(copies) + 11):
        found = copied.see(Vital(step=n, optimizer=0, optimizer_step=n, loss=1.0, grad_norm=1.0))
        raised += [found] if found else []
        if n % 10 == 0 and n <= 10 * len(copies):
            copied.sampled(Sample(step=n, copies=copies[n // 10 - 1]))
    return raised, copied.judged()


def test_units_that_become_copies_are_told_with_layer_and_step() -> None:
    (raised,), (judged,) = fed({}, {}, {"body": 0.9}, None, {"body": 0.9})
    assert raised.step == 51
    assert raised.evidence == {"cause": "symmetric-init", "copies": 0.9, "since": 30}
    assert "90% of the units of `body` are copies of other units since step 30" in raised.message
    assert (judged.outcome, judged.finding, judged.last_step) == (Outcome.CONFIRMED, True, 60)


def test_one_sample_is_not_enough() -> None:
    assert fed({}, {"body": 0.9}) == ([], ())
    assert fed({}, {"body": 0.9}, {}, {"body": 0.9}) == ([], ())


def test_copies_that_were_there_at_first_are_another_rules() -> None:
    assert fed({"body": 0.9}, {"body": 0.9}, {"body": 0.9}) == ([], ())


def test_copies_that_part_again_are_a_note() -> None:
    (_,), (judged,) = fed({}, {"body": 0.9}, {"body": 0.9}, {})
    assert (judged.outcome, judged.finding) == (Outcome.RECOVERED, False)
