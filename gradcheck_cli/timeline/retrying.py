"""Updates that were made again, as an alarm tells them: whether the update did it, and what cures it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.batchwise import is_ill
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.retrying import Held, Retried, ScalesTried, UpdateChange, UpdateVariant
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.timeline import AlarmKind, Raised
from gradcheck_cli.remedies import with_trials
from gradcheck_cli.watch.statistics import RobustWindow
from gradcheck_cli.words import percent

_OF_ONE_STEP = frozenset((AlarmKind.LOSS_SPIKE, AlarmKind.UPDATE_SPIKE, AlarmKind.DIVERGING, AlarmKind.GRAD_SPIKE))
_OF_UPDATES_BEFORE = _OF_ONE_STEP - {AlarmKind.GRAD_SPIKE}
"""Of these the updates before may be the reason, whatever the next one does."""
_GOOD = ("fixed", "helps")


def retried_at(process: Process, raised: Raised) -> Retried | None:
    """What came of making the update of an alarm's step again, if that was tried.

    What the first step showed is tried where the run is found not to learn: a loss scale that fits one fits the other.
    """
    if raised.kind is AlarmKind.READING:
        return next((each for each in process.retried if each.scales is not None), None)
    found = (each for each in process.retried if (each.step, each.optimizer) == (raised.step, raised.optimizer))
    return next(found, None)


def treated(finding: Finding, retried: Retried | None) -> Finding:
    """A finding with what the update, made again, says of its remedies; a note has none.

    Where it was not made again, a lower rate is told all the same as one of the run's own optimiser.
    """
    if retried is None or not (retried.tried or retried.scales or retried.rate) or not is_ill(finding):
        return finding
    return replace(finding, remedies=with_trials(finding.remedies, finding.cause, retried))


def in_words(kind: AlarmKind | None, retried: Retried, before: Sequence[float] = ()) -> str:
    """What the update did, in clauses with their numbers; empty where it says nothing.

    Args:
        kind: The alarm's; None for a step that was asked for.
        retried: What came of it.
        before: The losses of the updates just before, which a batch stands out from if it is the batch that did it.
    """
    return "; ".join(_clauses(kind, retried, before))


def losses_before(process: Process, raised: Raised) -> tuple[float, ...]:
    """The last finite losses of an alarm's optimiser before its step, as many as statistics are taken over."""
    mine = (v.loss for v in process.vitals if v.optimizer == raised.optimizer and v.step < raised.step)
    return tuple(loss for loss in mine if loss is not None and math.isfinite(loss))[-ALARMING.window :]


def _clauses(kind: AlarmKind | None, retried: Retried, before: Sequence[float]) -> Iterator[str]:
    if retried.held is not None:
        yield _held(kind, retried.held, retried, before)
    if retried.why:
        yield f"the update was not tried again: {retried.why}"
    if retried.scales is not None:
        yield _scales(retried.scales)
    first = retried.as_run
    if first is None or first.loss is None or retried.loss is None:
        return
    spoils = kind is AlarmKind.NONFINITE and not math.isfinite(first.loss)  # which nobody would doubt
    if not spoils and (retried.harms or kind is None or (kind in _OF_ONE_STEP and math.isfinite(retried.loss))):
        yield _as_run(first, retried)
    if kind in _OF_UPDATES_BEFORE and retried.held is None and not retried.rows:
        yield "that starts from the state of this step: --snapshot keeps an earlier one"
    others = retried.tried[1:] if retried.harms or retried.moves_nothing else ()
    if kind is None and others:
        yield "; ".join(f"{_way(each, retried)}: {each.loss:.3g}" for each in others if each.loss is not None)
    if others and not any(retried.outcome(each) in _GOOD for each in others):
        yield "no other way to make the update that was tried helps"


def _scales(scales: ScalesTried) -> str:
    now = "without a loss scale" if scales.growth is None else f"at a loss scale of {scales.now:,.10g}"
    told = f"float16 loses {percent(scales.lost)} of this gradient's elements {now}"
    if scales.fits is None:
        return f"{told}, and with no scale down to 1 are all of them finite"
    return f"{told}, and {percent(scales.lost_then or 0.0)} at {scales.fits:,.10g}"


def _way(tried: UpdateVariant, retried: Retried) -> str:
    amount = tried.amount or 0.0
    return {
        UpdateChange.LOWER_RATE: f"with a rate of {(retried.rate or 0.0) * amount:.2g}",
        UpdateChange.HIGHER_RATE: f"with a rate of {(retried.rate or 0.0) * amount:.2g}",
        UpdateChange.CLIPPED: f"clipped at {amount:.2g}",
        UpdateChange.EPS: f"with an eps of {amount:.0e}",
        UpdateChange.ANEW: "with averages that begin anew",
        UpdateChange.WITHOUT_ROWS: "without the rows at fault",
    }[tried.change]


def _held(kind: AlarmKind | None, held: Held, retried: Retried, before: Sequence[float]) -> str:
    if held.loss is None:
        return f"the batch could not be taken again with the parameters of step {held.step}"
    if retried.start is None:
        now = "" if held.now is None else f", and {held.now:.3g} now"
        told = f"with the parameters of step {held.step} this batch costs {held.loss:.3g}{now}"
        if _stands_out(held.loss, before):
            return f"{told}: the batch did it"
        drifted = kind is AlarmKind.DIVERGING and len(before) >= ALARMING.warm_up
        return f"{told}, as those before it do: it is no single batch or update, the loss drifts" if drifted else told
    now = "what is not finite" if held.now is None or not math.isfinite(held.now) else f"{held.now:.3g}"
    return (
        f"with the parameters of step {held.step} this batch costs {held.loss:.3g}, not {now}: the updates since did "
        "it, and what is tried starts there"
    )


def _stands_out(loss: float, before: Sequence[float]) -> bool:
    """Whether the loss of a batch, with parameters of before, is none as those of the batches before had."""
    if not math.isfinite(loss):
        return True
    if len(before) < ALARMING.warm_up:
        return False
    usual = RobustWindow(ALARMING.window)
    for each in before:
        usual.append(each)
    return usual.spike(loss, ALARMING.loss_sigma * abs(usual.median)) > 0.0


def _as_run(first: UpdateVariant, retried: Retried) -> str:
    whose = "the other rows" if retried.rows else "this batch"
    told = f"the update as the run makes it takes the loss of {whose} from {retried.loss:.3g} to {first.loss:.3g}"
    if first.size is not None and retried.usual is not None:
        told += f", and moves the weights by {first.size:.2g} of themselves, where {retried.usual:.2g} is usual"
    return told if retried.harms else f"{told}, so that this one does no harm to it"
