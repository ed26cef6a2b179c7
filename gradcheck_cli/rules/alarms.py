"""GC630 to GC635: the alarms of a run. Each is raised by numbers over time, so its row holds no check of a step."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from gradcheck_cli.records.batchwise import is_ill
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised
from gradcheck_cli.rules.loop import BY_FAULT
from gradcheck_cli.rules.rule import AlarmRule

UNKNOWN = "unknown"
"""The cause where the step's diagnosis names none and the kind of alarm tells none."""


_RANGE = frozenset((Family.NONFINITE, Family.EXPLODING, Family.PRECISION))
"""What takes values out of the range of their dtype."""
_WITHOUT_FLOOR = frozenset(("label-range", "unbounded-loss"))
"""Causes for which a loss has no minimum: it falls for ever, until its numbers end."""
_GROWTH = frozenset((Family.NONFINITE, Family.EXPLODING, Family.DYNAMICS))
"""What makes a loss or a gradient large."""


def _alarm(
    code: str, kind: AlarmKind, severity: Severity, causes: str, by: frozenset[Family], explanation: str
) -> AlarmRule:
    return AlarmRule(
        code=code,
        name=kind.value,
        severity=severity,
        causes=tuple(causes.split()),
        kind=kind,
        explained_by=by,
        explanation=inspect.cleandoc(explanation),
    )


ALARMS = (
    _alarm(
        "GC630",
        AlarmKind.NONFINITE,
        Severity.ERROR,
        UNKNOWN,
        _RANGE,
        """The loss or a gradient of a step is NaN or Inf.

        The step is repeated under the probe before its update, so that the finding beside this one names the op,
        the line and the rows of the batch where the first such value was made, and its cause is this one's. An
        update that takes such a gradient leaves NaN in every weight that it touches, and clipping the norm spreads
        it to all of them. Steps that a GradScaler skipped are GC634. It is a note where the script threw the step
        away and went on.
        """,
    ),
    _alarm(
        "GC631",
        AlarmKind.LOSS_SPIKE,
        Severity.ERROR,
        "lr-too-high",
        _GROWTH,
        """The loss jumped far above its own course, and stayed there.

        Judged by the median and the spread of the losses before it, never by a level. A jump alone proves nothing:
        a warm restart, a new phase of a curriculum and a hard batch all make one. So the step is explained at once,
        and is a finding only where the loss did not come back; else it is a note. The statistics start anew where
        the run itself changes: its learning rate, what it trains, its loss.
        """,
    ),
    _alarm(
        "GC632",
        AlarmKind.GRAD_SPIKE,
        Severity.ERROR,
        "grad-spike",
        _GROWTH,
        """The norm of the gradient jumped far above its own course, and the run did not come back from it.

        Judged on a log scale by the median and the spread of the norms before it, as they are before clipping and
        without a loss scale. Often it comes some steps before the loss shows anything. It is a finding only where
        the run stayed bad afterwards; a spike that clipping or luck took care of is a note.
        """,
    ),
    _alarm(
        "GC633",
        AlarmKind.DIVERGING,
        Severity.ERROR,
        "lr-too-high",
        _GROWTH,
        """The loss climbs away from its best, step by step, or runs off within the first steps.

        No single step stands out, so it is seen by the sum of the moves, or by losses that pass what the run began
        with again and again. Where it happens within the first steps, what looked extreme at step 1 explains it,
        and stands beside it.
        """,
    ),
    _alarm(
        "GC634",
        AlarmKind.OVERFLOW,
        Severity.WARNING,
        "fp16-overflow",
        _RANGE,
        """A GradScaler met gradients that are not finite, and skipped the update.

        That is its work: it starts high and halves the loss scale until gradients fit into float16. So a few
        skipped steps are a note, and it is a finding only where the steps that follow overflow as well.
        """,
    ),
    _alarm(
        "GC635",
        AlarmKind.SCALE_COLLAPSE,
        Severity.ERROR,
        "fp16-overflow",
        _RANGE,
        """A GradScaler halves the loss scale without end, and no update is made any more.

        Overflow goes away with a smaller scale; NaN, and Inf from a division, do not. So where halving does not
        help the fault lies in the step itself, which the finding beside this one explains.
        """,
    ),
)
"""Every alarm of a run, by code."""
BY_KIND = {alarm.kind: alarm for alarm in ALARMS}
"""The row of every kind of alarm but faults of the loop, which have one each."""


def row_of(raised: Raised) -> AlarmRule:
    """The row that tells of an alarm."""
    return BY_FAULT[str(raised.evidence["code"])] if raised.kind is AlarmKind.LOOP else BY_KIND[raised.kind]


def alarm_finding(judged: Judged, diagnosed: Sequence[Finding], source: SourceLine | None, why: str) -> Finding:
    """What an alarm itself says, without remedies: it names the cause that the step's diagnosis found, if any does.

    Args:
        judged: The alarm as the run judged it.
        diagnosed: Findings that may explain it, what comes first counting first.
        source: The user's line.
        why: What it was judged by, in words.
    """
    row = row_of(judged.raised)
    explained = explaining(judged.raised.kind, diagnosed)
    return Finding(
        code=row.code,
        rule=row.name,
        family=row.family,
        severity=row.severity if stands(judged) else Severity.NOTE,
        layers=(),
        cause=explained[0].cause if explained else row.causes[0],
        message=judged.raised.message,
        why=why,
        source=source,
        evidence=judged.raised.evidence,
    )


def explaining(kind: AlarmKind, findings: Sequence[Finding]) -> list[Finding]:
    """The findings, or suspicions, that name a cause for an alarm of this kind."""
    if kind is AlarmKind.LOOP:
        return []
    families = BY_KIND[kind].explained_by
    causes = _WITHOUT_FLOOR if kind in (AlarmKind.DIVERGING, AlarmKind.NONFINITE) else frozenset[str]()
    return [f for f in findings if is_ill(f) and f.cause != UNKNOWN and (f.family in families or f.cause in causes)]


def stands(judged: Judged) -> bool:
    """Whether an alarm is more than a note: it is confirmed, or was open and speaks for itself."""
    return judged.outcome is Outcome.CONFIRMED or (judged.outcome is Outcome.OPEN and judged.finding)
