"""The copy that was trained when the script had ended, as the run tells it: a finding, or a note."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Process, RaisedEntry
from gradcheck_cli.records.shadow import Shadowed
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised, Replay, Why
from gradcheck_cli.timeline.events import AlarmEvent
from gradcheck_cli.timeline.opinions import RunLearning, learning

_NEVER_CLEARED = "GC650"


def shadow_event(process: Process, events: Sequence[AlarmEvent], options: RunOptions) -> AlarmEvent | None:
    """What the copy of a run showed, as an event; None where it showed nothing, or the run was well without it.

    A run that learned and raised no alarm that stands gains by a lower rate at its end, as every noisy one does: that
    is a note. So it is where rows of a batch are proven to have thrown the run off: smaller steps bear those, too.
    """
    told = process.shadowed
    if told is None or not told.far_below:
        return None
    standing = [event for event in events if event.stands]
    if _of_the_rows(standing) or (not standing and _learning(process, told, options).learned):
        return None
    never_cleared = any(event.judged.raised.evidence.get("code") == _NEVER_CLEARED for event in standing)
    raised = Raised(
        kind=AlarmKind.SHADOW,
        step=told.last,
        optimizer=told.optimizer,
        message=_message(told),
        evidence={
            "cause": "missing-zero-grad" if never_cleared else "lr-too-high",
            "run_loss": told.run_ends,
            "copy_loss": told.copy_ends,
            "batches": len(told.run),
            "lr": told.rate or 0.0,
        },
    )
    why = (
        f"the copy starts from the parameters and the optimiser's state of step {told.first}, and takes each batch up "
        f"to step {told.last} once, with gradients of that batch alone; its first loss is the run's to the last bit"
    )
    judged = Judged(raised=raised, last_step=told.last, outcome=Outcome.CONFIRMED, finding=True, told=why)
    entry = RaisedEntry(
        raised=raised,
        optimizer_step=told.own_step,
        source=told.made_at,
        optimizer_source=told.made_at,
        replay=Replay.EXACT,
    )
    return AlarmEvent(process=process, judged=judged, entry=entry)


def _of_the_rows(standing: Sequence[AlarmEvent]) -> AlarmEvent | None:
    """The first alarm whose step, repeated exactly, shows rows that are not finite, or like none before them."""
    return next((event for event in standing if event.entry.replay is Replay.EXACT and _shows_rows(event)), None)


def _shows_rows(event: AlarmEvent) -> bool:
    broken = event.judged.raised.kind is AlarmKind.NONFINITE
    return bool(event.entry.samples) and (broken or event.entry.novel is not None)


def shadow_notes(processes: Sequence[Process], events: Sequence[AlarmEvent], options: RunOptions) -> Iterator[str]:
    """What --shadow came to where it is no finding."""
    if not options.shadow:
        return
    for process in processes:
        told = process.shadowed
        if told is None:
            yield "--shadow: the process was ended before a copy could be trained"
        elif told.why:
            yield f"--shadow: no copy was trained: {told.why}"
        elif not told.has_floor:
            yield f"--shadow: {_message(told)}; of a loss that goes below 0 that says nothing"
        elif not told.far_below:
            yield f"--shadow: {_message(told)}: smaller steps do no better"
        elif (threw := _of_the_rows([event for event in events if event.stands])) is not None:
            at = threw.judged.raised.step
            yield f"--shadow: {_message(told)}: rows of step {at} did it, and smaller steps bear them better"
        elif shadow_event(process, events, options) is None:
            yield f"--shadow: {_message(told)}: the run learned all the same; a lower rate at its end takes it further"


def _message(told: Shadowed) -> str:
    run = f"at {told.run_ends:.3g}" if math.isfinite(told.run_ends) else "at what is not finite"
    copy = f"at a loss of {told.copy_ends:.3g}" if math.isfinite(told.copy_ends) else "at a loss that is not finite"
    return f"a copy with a tenth of the learning rate ends {copy}, the run {run}, on the same {len(told.run)} batches"


def _learning(process: Process, told: Shadowed, options: RunOptions) -> RunLearning:
    vitals = [vital for vital in process.vitals if vital.optimizer == told.optimizer]
    samples = [sample for sample in process.samples if sample.optimizer == told.optimizer]
    first = next((each.report for each in process.diagnosed if each.why is Why.FIRST), None)
    return learning(vitals, first, options.thresholds, samples)
