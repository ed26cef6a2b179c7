"""GC630 to GC645: the alarms of a run. Each is raised by numbers over time, so its row holds no check of a step."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from gradcheck_cli.records.batchwise import is_ill
from gradcheck_cli.records.choices import About, Decision, Family, Severity
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
_NO_LEARNING = frozenset((Family.VANISHING, Family.EXPLODING, Family.NO_GRADIENT, Family.PRECISION, Family.DYNAMICS))
"""What keeps a model from learning, or makes it forget."""


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
        "lr-too-high grad-spike unshuffled-batches",
        _GROWTH,
        """The loss jumped far above its own course, and stayed there.

        Judged by the median and the spread of the losses before it, never by a level. A jump alone proves nothing:
        a warm restart, a new phase of a curriculum and a hard batch all make one. So the step is explained at once,
        and is a finding only where the loss did not come back; else it is a note. The statistics start anew where
        the run itself changes: its learning rate, what it trains, its loss. Where the batches come in blocks and the
        loss rises with each change of their targets, the order of the data is what jumps; where a few rows carry it
        that hold what no batch before had, it is those rows.
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
    _alarm(
        "GC636",
        AlarmKind.UPDATE_SPIKE,
        Severity.ERROR,
        "grad-spike",
        _GROWTH,
        """An update moved the weights far more than those before it, and the run did not come back from it.

        On sampled steps |dw|/|w| is read, and for optimisers that normalise, as Adam does, the RMS of dw/lr. Both are
        judged on a log scale by the median and the spread of those before. Adam divides by what gradients used to be,
        so that one which comes back after a long silence makes a large step without being large itself. It is known
        only when the weights have moved: the step after it is repeated and explained. It is a finding only where the
        loss went away and stayed there; else it is a note.
        """,
    ),
    _alarm(
        "GC640",
        AlarmKind.READING,
        Severity.ERROR,
        "unknown symmetric-init",
        _NO_LEARNING,
        """The first step showed a fault, and the run bore it out; or units have become copies during the run.

        What `gradcheck check` finds in one step is a note where the run learned all the same. Here the loss ended
        no lower than one answer for every sample costs, or than it began, so the finding beside this one stands.
        Units that have the same weights and the same gradient stay copies of each other for good: a layer that was
        given one constant on the way, or was made wider by copying its units, is as good as its distinct ones.
        """,
    ),
    _alarm(
        "GC641",
        AlarmKind.STUCK,
        Severity.ERROR,
        "stuck lr-too-low lr-too-high weight-decay update-moves-nothing unshuffled-batches dropout-too-high call-order",
        _NO_LEARNING,
        """After many updates the loss is still that of one answer for every sample, or higher.

        On sampled steps the loss is held against that of the same batch with what feeds the last layer at its mean,
        which is chance for any loss. That alone is a note: the data may hold no more, and a plateau may end. It is a
        finding only where something says why: a fault in the step that is repeated, gradients that are exactly 0, a
        step so small that all updates together hardly move a layer, first steps so large that the weights are ten
        times what they were and the loss where it began, a weight decay that outweighs the gradient, batches that
        come in blocks, weights that something but the optimiser moves back again and again, as an average that is put
        into the model and stays there, dropout whose masks alone cost more than knowing nothing does. Where
        the same batch is answered well with dropout off, the run has learned, and the noise of dropout hides it.
        """,
    ),
    _alarm(
        "GC642",
        AlarmKind.SWINGING,
        Severity.ERROR,
        "lr-too-high",
        _GROWTH,
        """The loss swings far above that of one answer for every sample, and makes no progress.

        Many updates raise the loss of the very batch that they were computed from, whatever else batches differ in:
        the step is too large for what it is computed of, be that the learning rate or the scale of the inputs. Such
        a share alone proves nothing, since models that learn well have it too; so it counts only without progress.
        """,
    ),
    _alarm(
        "GC643",
        AlarmKind.COLLAPSE,
        Severity.ERROR,
        "collapse",
        _NO_LEARNING,
        """The run had learned, and is back for good at one answer for every sample.

        No single step need stand out, as where it is seen as a spike. It is held against the loss of the same batch
        with one answer for every sample, and stands only if the run stays there for a hundred updates.
        """,
    ),
    _alarm(
        "GC644",
        AlarmKind.SATURATING,
        Severity.ERROR,
        "saturating-activation",
        _NO_LEARNING,
        """A layer has saturated during training, and the run learns nothing any more.

        On sampled steps nearly all of its elements lie where the slope is below a hundredth of the largest, and at
        first less than half did. Beside a loss that is no better than one answer for every sample that is the reason.
        """,
    ),
    _alarm(
        "GC645",
        AlarmKind.DEAD_GROWING,
        Severity.ERROR,
        "dead-relu",
        _NO_LEARNING,
        """The units of a layer have died during training, and the run learns nothing any more.

        On sampled steps nearly all of them are off for the whole batch, and at first less than half were. Beside a
        loss that is no better than one answer for every sample that is the reason; dead units alone are a note.
        """,
    ),
    _alarm(
        "GC646",
        AlarmKind.SHADOW,
        Severity.ERROR,
        "lr-too-high missing-zero-grad",
        frozenset(),
        """A copy that took smaller steps on the same batches ends far below the run (`--shadow`).

        When the script has ended, a copy starts from the parameters and the optimiser's state of some tens of steps
        before the end. It takes the batches of those steps once, in the run's order, with a tenth of the learning
        rate and from gradients of its one batch alone. Each loss is held against the run's own of the same batch, so
        that the noise between batches is in both. It is a finding where the copy ends at less than half of the run's
        loss; else a note.
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
    explained = because(judged.raised, diagnosed)
    return Finding(
        code=row.code,
        rule=row.name,
        family=row.family,
        severity=row.severity if stands(judged) else Severity.NOTE,
        layers=(),
        cause=explained[0].cause if explained else str(judged.raised.evidence.get("cause", row.causes[0])),
        message=judged.raised.message,
        why=why,
        source=source,
        evidence=judged.raised.evidence,
    )


SLOW = frozenset(
    (
        AlarmKind.READING,
        AlarmKind.STUCK,
        AlarmKind.SWINGING,
        AlarmKind.COLLAPSE,
        AlarmKind.SATURATING,
        AlarmKind.DEAD_GROWING,
    )
)
"""Alarms of a run that does not learn, or has lost what it learned."""


_READ = frozenset(
    ("lr-too-high", "dropout-too-high", "weight-decay", "unshuffled-batches", "symmetric-init", "call-order")
)
"""Causes that are read off the run itself, of which what a later step shows is a consequence."""


def because(raised: Raised, findings: Sequence[Finding]) -> list[Finding]:
    """The findings that name the cause of an alarm: where the run's own course names it, those of that cause alone."""
    found, cause = explaining(raised.kind, findings), raised.evidence.get("cause")
    if cause in _READ and (raised.kind in (AlarmKind.STUCK, AlarmKind.READING) or cause == "unshuffled-batches"):
        return [finding for finding in found if finding.cause == cause]
    return found


def explaining(kind: AlarmKind, findings: Sequence[Finding]) -> list[Finding]:
    """The findings, or suspicions, that name a cause for an alarm of this kind."""
    if kind is AlarmKind.LOOP:
        return []
    families = BY_KIND[kind].explained_by
    causes = _WITHOUT_FLOOR if kind in (AlarmKind.DIVERGING, AlarmKind.NONFINITE) else frozenset[str]()
    found = [f for f in findings if is_ill(f) and f.cause != UNKNOWN and (f.family in families or f.cause in causes)]
    return found if kind not in SLOW else [finding for finding in found if _stops_learning(finding)]


def _stops_learning(finding: Finding) -> bool:
    """Whether it is an error, or the suspicion of one that is about the whole model and not refuted."""
    opinion = finding.opinion
    if opinion is None or opinion.decision is Decision.CONFIRMED:
        return finding.severity is Severity.ERROR
    is_open = opinion.decision in (Decision.NOT_TRIED, Decision.UNDECIDED)
    return is_open and opinion.about is About.WHOLE and opinion.severity is Severity.ERROR


def stands(judged: Judged) -> bool:
    """Whether an alarm is more than a note: it is confirmed, or was open and speaks for itself."""
    return judged.outcome is Outcome.CONFIRMED or (judged.outcome is Outcome.OPEN and judged.finding)
