"""Events and diagnoses as the timeline's records: their findings as grave as the run bears them out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gradcheck_cli import __version__
from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.apart import Apart
from gradcheck_cli.records.batchwise import is_ill
from gradcheck_cli.records.choices import Family, Status
from gradcheck_cli.records.raterise import RateRise
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Process, RaisedEntry, Without
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import Alarm, AlarmKind, Diagnosed, Outcome, Raised, Replay, Vital, Why
from gradcheck_cli.records.traits import Trait, Traits
from gradcheck_cli.records.verdict import gravest_first
from gradcheck_cli.remedies import after_rise, remedies_for, with_shadow
from gradcheck_cli.rules import SLOW, alarm_finding, because, chosen, explaining, row_of, standing_out, waive
from gradcheck_cli.timeline.events import AlarmEvent, of_one_job
from gradcheck_cli.timeline.firstmover import leader
from gradcheck_cli.timeline.grownweights import grown
from gradcheck_cli.timeline.notlearning import reading_of
from gradcheck_cli.timeline.opinions import (
    RunLearning,
    confirmed,
    learning,
    opened,
    refuted,
    still_open,
    undecided,
    with_findings,
)
from gradcheck_cli.timeline.retrying import in_words, losses_before, retried_at, treated

BLOWN_UP = (AlarmKind.NONFINITE, AlarmKind.DIVERGING)
"""What a run that begins too steeply ends in."""
_SUDDEN = frozenset(
    (
        AlarmKind.NONFINITE,
        AlarmKind.LOSS_SPIKE,
        AlarmKind.GRAD_SPIKE,
        AlarmKind.UPDATE_SPIKE,
        AlarmKind.DIVERGING,
    )
)
"""Alarms of an event, to which a layer may have led."""
_SCALED = frozenset((AlarmKind.OVERFLOW, AlarmKind.SCALE_COLLAPSE))

_OTHER = 1.1
"""Factor from which on a number of a step is told as another one."""


def first_judged(
    first: Diagnosed, process: Process, events: Sequence[AlarmEvent], options: RunOptions
) -> tuple[Diagnosed, list[AlarmEvent]]:
    """The diagnosis of step 1 as the run bears it out, and the events that it explains.

    Its findings are notes where the run learned all the same. Where the run blew up in its first steps what explodes at
    step 1 is confirmed by it. Else they stand as `check` judges them, a suspicion being a note.
    """
    if first.why is not Why.FIRST or not any(map(is_ill, first.report.findings)):
        return first, []
    if first.replay is not Replay.EXACT:
        return _replaced(first, [undecided(f, NOT_EXACT) for f in first.report.findings], options), []
    mine = [event for event in events if of_one_job(event.process, process) and not event.is_of_the_loop]
    standing = [event for event in mine if event.stands]
    early = [event for event in standing if event.judged.raised.step <= ALARMING.warm_up]
    blown = [event for event in early if event.judged.raised.kind in BLOWN_UP]
    if blown:
        told = f"the run blew up at step {blown[0].judged.raised.step}"
        findings = [confirmed(f, told) if f.family is Family.EXPLODING else f for f in first.report.findings]
        return _replaced(first, findings, options), blown
    slow = [event for event in standing if event.judged.raised.kind in SLOW]
    if slow:
        borne_out = {id(f) for f in explaining(slow[0].judged.raised.kind, first.report.findings)}
        told = slow[0].judged.told
        findings = [confirmed(f, told) if id(f) in borne_out else f for f in first.report.findings]
        return _replaced(first, findings, options), [event for event in slow if not _explained(event)]
    first = _replaced(first, [opened(f, first.step, process) for f in first.report.findings], options)
    found = _learning(process, first, standing, options)
    if found.learned and not standing:
        told = f"looked extreme at the start, and the run learned: {found.told}"
        return _replaced(first, [refuted(f, told) for f in first.report.findings], options), []
    told = f"the run learned at first, {found.told}, and went wrong later" if found.learned else found.told
    return _replaced(first, [still_open(f, told) for f in first.report.findings], options), []


def explaining_first(event: AlarmEvent, findings: Sequence[Finding]) -> list[Finding]:
    """Those findings of step 1 that explain an event: what explodes there, or what keeps the run from learning."""
    kind = event.judged.raised.kind
    if kind in SLOW:
        return explaining(kind, findings)
    return [finding for finding in findings if finding.family is Family.EXPLODING and is_ill(finding)]


def _explained(event: AlarmEvent) -> bool:
    """Whether the step that the alarm was raised at says why."""
    findings = event.entry.report.findings if event.entry.report and event.entry.replay is Replay.EXACT else ()
    return bool(explaining(event.judged.raised.kind, findings))


def _learning(process: Process, first: Diagnosed, standing: Sequence[AlarmEvent], options: RunOptions) -> RunLearning:
    vitals = _until(process, first.step, standing)
    samples = [each for each in process.samples if vitals and vitals[0].step <= each.step <= vitals[-1].step]
    mine = [each for each in samples if each.optimizer == vitals[0].optimizer]
    return learning(vitals, first.report, options.thresholds, mine)


def unlearned(
    first: Diagnosed, process: Process, events: Sequence[AlarmEvent], options: RunOptions
) -> AlarmEvent | None:
    """What the first step showed, as an event of its own: where the run did not learn, and nothing else says so."""
    if any(event.stands and of_one_job(event.process, process) for event in events):
        return None
    found = _learning(process, first, (), options)
    if found.learned is not False:
        return None
    reading = reading_of(process, first, found.told)
    return None if reading is None else AlarmEvent(process=process, judged=reading[0], entry=reading[1])


def _until(process: Process, step: int, standing: Sequence[AlarmEvent]) -> list[Vital]:
    """The vitals of the optimiser of a step, from there until the run goes wrong."""
    optimizer = next((v.optimizer for v in process.vitals if v.step == step), 0)
    end = min((event.judged.raised.step for event in standing), default=math.inf)
    return [v for v in process.vitals if v.optimizer == optimizer and step <= v.step < end]


NOT_EXACT = "the step could not be repeated exactly, so that its gradients are not those of the run"


def _replaced(diagnosed: Diagnosed, findings: Sequence[Finding], options: RunOptions) -> Diagnosed:
    return replace(diagnosed, report=with_findings(diagnosed.report, gravest_first(findings), options.fail_on))


def alarm_of(event: AlarmEvent, began: Sequence[Finding], options: RunOptions) -> Alarm:
    """The alarm that an event is told as.

    Args:
        event: What happened.
        began: What step 1 showed that explains it.
        options: Which findings are shown, and which fail the run.
    """
    event = _of_the_rows(event)
    raised, entry = event.judged.raised, event.entry
    message = f"{raised.message} ({event.among})" if event.among else raised.message
    diagnosed = tuple(_without_row(finding, entry.apart) for finding in _diagnosed(event))
    trusted = (*began, *(diagnosed if entry.replay is Replay.EXACT else ()))
    led = leader(event.process, raised) if raised.kind in _SUDDEN else None
    why = f"{_why(event)}; {led.told}" if led else _why(event)
    own = replace(alarm_finding(event.judged, trusted, _line(event, trusted), why), message=message)
    if led:
        own = replace(own, evidence={**own.evidence, "moved_first": led.layer, "moved_at_step": led.step})
    explained = because(raised, trusted)
    own = treated(_with_remedies(own, explained, raised.kind), retried_at(event.process, raised))
    if (rise := RateRise.of(raised.evidence)) is not None and _is_of_the_rate(raised, explained):
        own = replace(own, why=f"{rise.told}; {own.why}", remedies=after_rise(own.remedies, rise))
    if raised.kind is AlarmKind.SHADOW and event.process.shadowed is not None:
        own = replace(own, remedies=with_shadow(own.remedies, own.cause, event.process.shadowed))
    others = tuple(replace(f, remedies=own.remedies) if f in explained[:1] else f for f in (*began, *diagnosed))
    return Alarm(
        kind=raised.kind,
        step=raised.step,
        last_step=event.judged.last_step,
        rank=event.process.rank,
        optimizer=raised.optimizer,
        optimizer_step=entry.optimizer_step,
        micro_batch=entry.micro_batch,
        source=entry.source,
        verdict=event.judged.outcome,
        message=message,
        evidence=raised.evidence,
        samples=entry.samples,
        replay=entry.replay,
        report=_report(event, own, others, options),
    )


def _is_of_the_rate(raised: Raised, explained: Sequence[Finding]) -> bool:
    """Whether a learning rate that rose before an alarm may be its reason: it is none of what is proven otherwise."""
    if raised.kind in (AlarmKind.LOOP, AlarmKind.READING, AlarmKind.SHADOW, *_SCALED):
        return False
    return not any(finding.family is Family.NONFINITE for finding in explained)


def _of_the_rows(event: AlarmEvent) -> AlarmEvent:
    """A jump of the loss that rows make which hold what no batch before had: they are its cause, and no rate."""
    raised, entry = event.judged.raised, event.entry
    if (
        raised.kind is not AlarmKind.LOSS_SPIKE
        or entry.novel is None
        or not entry.samples
        or "cause" in raised.evidence
    ):
        return event
    blamed = replace(raised, evidence={**raised.evidence, "cause": "grad-spike"})
    return replace(event, judged=replace(event.judged, raised=blamed))


def _line(event: AlarmEvent, trusted: Sequence[Finding]) -> SourceLine | None:
    """The line that an alarm is about: the optimiser's where its rate is the cause, else that of the backward pass."""
    cause = alarm_finding(event.judged, trusted, None, "").cause
    return (event.entry.optimizer_source if cause in OF_THE_OPTIMIZER else None) or event.entry.source


OF_THE_OPTIMIZER = frozenset(("lr-too-high", "lr-too-low", "no-warmup", "weight-decay"))
"""Causes that stand in the line that makes the optimiser."""


def _diagnosed(event: AlarmEvent) -> tuple[Finding, ...]:
    """The findings of the step that was repeated, as grave as the rest of the run bears them out."""
    reported = event.entry.report.findings if event.entry.report else ()
    findings = gravest_first(grown(f, event.process, event.judged.raised.step) for f in reported)
    if event.entry.replay is not Replay.EXACT:
        return tuple(undecided(finding, NOT_EXACT) for finding in findings)
    told = ": ".join(filter(None, (_OUTCOME[event.judged.outcome], event.judged.told)))
    if not event.stands:
        decided = refuted if event.judged.outcome is Outcome.RECOVERED else undecided
        return tuple(decided(finding, told) for finding in findings)
    explains = {id(finding) for finding in explaining(event.judged.raised.kind, findings)}
    return gravest_first(confirmed(f, told) if id(f) in explains else f for f in findings)


_OUTCOME = {
    Outcome.CONFIRMED: "the run did not come back from it",
    Outcome.RECOVERED: "the run came back from it",
    Outcome.OPEN: "the script ended before it could be told whether the run comes back",
}


def _why(event: AlarmEvent) -> str:
    """What it was judged by, which rows carry it, and whether the step was repeated."""
    entry = event.entry
    if event.is_of_the_loop:
        why = _of_the_calls(event.judged.raised)
        return f"{why}; {event.judged.told}" if event.judged.outcome is Outcome.RECOVERED else why
    if event.judged.raised.kind is AlarmKind.SHADOW:
        return event.judged.told
    parts = [event.judged.told or _OUTCOME[event.judged.outcome]]
    if entry.samples:
        rows = ", ".join(map(str, entry.samples))
        one = len(entry.samples) == 1
        left = f", and {_left(entry.without)}" if entry.without else ""
        parts += [f"row {rows} of the batch carries it{left}" if one else f"rows {rows} carry it{left}"]
    parts += [standing_out(each) for each in (entry.novel or entry.apart,) if each is not None]
    retried = retried_at(event.process, raised := event.judged.raised)
    if retried is not None and (words := in_words(raised.kind, retried, losses_before(event.process, raised))):
        parts += [words]
    because = f": {entry.reason}" if entry.reason else ""
    if entry.replay is Replay.EXACT:
        parts += [f"{_which(entry)} was repeated exactly{because}"]
    elif entry.replay is Replay.INEXACT:
        parts += [f"the step was repeated, but not exactly, so that no cause is named{because}"]
    else:
        parts += [f"the step could not be repeated{because}"]
    return "; ".join(parts)


def _of_the_calls(raised: Raised) -> str:
    """Why a fault that the calls show matters, and since when it is there: one update alone proves nothing."""
    since = raised.evidence["since"]
    began = (
        f"; it has been so since step {since}, by step {raised.step} too often to be chance"
        if since != raised.step
        else ""
    )
    return f"{row_of(raised).reason}{began}"


def _left(without: Without) -> str:
    """What is left of a step without its guilty rows, in the number that they make another."""
    if not math.isfinite(without.norm) or without.norm > without.norm_left * _OTHER:
        norm = f"a gradient norm of {without.norm_left:.3g} instead of {without.norm:.3g}"
        if math.isfinite(without.loss) and without.loss <= without.loss_left * _OTHER:
            return f"the others alone have {norm}"
        return f"the others alone have a loss of {without.loss_left:.3g} instead of {without.loss:.3g}, and {norm}"
    return f"the others alone have a loss of {without.loss_left:.3g} instead of {without.loss:.3g}"


def _which(entry: RaisedEntry) -> str:
    """What was repeated: one backward pass where the inputs of the others were let go of."""
    return f"backward pass {entry.micro_batch + 1} of the update alone" if entry.reason else "the step"


def _without_row(finding: Finding, apart: Apart | None) -> Finding:
    """A finding without what the alarm says of its row."""
    return finding if apart is None else replace(finding, why=finding.why.removesuffix(f"; {standing_out(apart)}"))


def _with_remedies(own: Finding, explained: Sequence[Finding], kind: AlarmKind) -> Finding:
    if not is_ill(own) or (own.family is Family.NONFINITE and not explained):
        return own  # nothing that is borrowed from other ops
    if explained:
        return replace(own, remedies=explained[0].remedies)
    return replace(own, remedies=remedies_for(own.cause, _traits(own, kind), own.code))


def _traits(own: Finding, kind: AlarmKind) -> Traits:
    """What is known of the run that remedies act on."""
    known = {
        Trait.SCALED: kind in _SCALED,
        Trait.LOW_WEIGHTS: own.evidence.get("dtype") in ("bfloat16", "float16"),
        Trait.MOVED_BY_HAND: own.evidence.get("updates") == "by hand",
        Trait.CUT_BY_HAND: own.evidence.get("batches_cut") == "by hand",
    }
    return frozenset(trait for trait, holds in known.items() if holds)


def _report(event: AlarmEvent, own: Finding, others: Sequence[Finding], options: RunOptions) -> Report:
    """The diagnosis of the step with the alarm's own finding first, if it is to be shown."""
    entry = event.entry
    base = entry.report or _empty(event)
    told = (own,) if chosen(own.code, own.rule, options.select, options.ignore) else ()
    kept, waived = waive(told, options.waivers)
    hidden = int(is_ill(own) and not kept)
    report = replace(base, hidden=base.hidden + hidden, waived=(*base.waived, *waived))
    return with_findings(report, (*kept, *others), options.fail_on)


def _empty(event: AlarmEvent) -> Report:
    return Report(
        name=f"step {event.judged.raised.step}",
        status=Status.UNKNOWN,
        exit_code=0,
        target={},
        versions={"gradcheck": __version__, **event.process.versions},
        seconds={},
    )
