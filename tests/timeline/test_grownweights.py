"""Weights that are large at a later step, and were not at the first, are no matter of how they began."""

from __future__ import annotations

from dataclasses import replace

from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.timeline import Diagnosed, Replay, Why
from gradcheck_cli.timeline.grownweights import grown
from tests.timeline.sessions import exploding, finding, step_report


def process(*findings: Finding, **changes: object) -> Process:
    first = Diagnosed(step=1, why=Why.FIRST, replay=Replay.EXACT, report=step_report(*findings))
    return Process(pid=1, diagnosed=(replace(first, **changes),))  # type: ignore[arg-type]


def test_the_updates_are_blamed_where_the_first_step_was_well() -> None:
    told = grown(exploding(), process(), 3)
    assert (told.cause, told.remedies[0].id) == ("lr-too-high", "lower-lr")
    assert told.why.endswith("at step 1 they were not: the updates since then have made them so")


def test_a_note_gets_no_remedies() -> None:
    assert grown(exploding(remedies=()), process(), 3).remedies == ()


def test_what_was_so_at_the_start_stays_what_it_is() -> None:
    told = exploding()
    assert grown(told, process(exploding()), 3) is told
    assert grown(told, process(), 1) is told
    assert grown(told, process(replay=Replay.INEXACT), 3) is told
    assert grown(told, Process(pid=1), 3) is told
    other = finding()
    assert grown(other, process(), 3) is other
