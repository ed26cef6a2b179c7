"""The alarms of a run's processes as events: judged by its vitals, and told once where several ranks have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TypeAlias

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.choices import Family
from gradcheck_cli.records.session import Process, RaisedEntry
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised, Replay
from gradcheck_cli.rules import SLOW, stands
from gradcheck_cli.timeline.notlearning import with_reason
from gradcheck_cli.timeline.opinions import LEAST_TAIL
from gradcheck_cli.watch.alarms import Alarms

Judge: TypeAlias = Callable[[Process], tuple[Judged, ...]]
"""What judges the alarms of one process by its vitals."""
_GRAVITY = {Outcome.CONFIRMED: 0, Outcome.OPEN: 1, Outcome.RECOVERED: 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmEvent:
    """An alarm of one process with what it was judged to be.

    Attributes:
        process: The process that tells it best.
        judged: What the rest of its run made of it.
        entry: What was made of its step.
        among: What to add where other ranks had it too; empty where they had not.
    """

    process: Process
    judged: Judged
    entry: RaisedEntry
    among: str = ""

    @property
    def stands(self) -> bool:
        """Whether it is more than a note."""
        return stands(self.judged)

    @property
    def is_of_the_loop(self) -> bool:
        """Whether it is a fault of the loop, which the calls show."""
        return self.judged.raised.kind is AlarmKind.LOOP

    @property
    def shows_fault(self) -> bool:
        """Whether its own replay was exact and met values that are not finite: no other rank passed them on to it."""
        findings = self.entry.report.findings if self.entry.report else ()
        return self.entry.replay is Replay.EXACT and any(f.family is Family.NONFINITE for f in findings)


def rejudged(process: Process) -> tuple[Judged, ...]:
    """The alarms of a process, judged by all of its vitals."""
    if process.whole is not None:
        return process.whole.judged
    alarms = Alarms()
    samples = {sample.step: sample for sample in process.samples}
    for vital in process.vitals:
        alarms.see(vital)
        if vital.step in samples:
            alarms.sampled(samples[vital.step])
    for entry in process.raised:
        if entry.raised.kind is AlarmKind.LOOP:
            alarms.know(entry.raised)
    return alarms.judged()


def events_of(processes: Sequence[Process], judge: Judge, most: int) -> tuple[AlarmEvent, ...]:
    """The events of a run, faults of the loop first and then by step; those of several ranks told once.

    Args:
        processes: Those that saw a step.
        judge: Judges the alarms of one.
        most: The diagnoses that it was allowed.
    """
    groups: dict[tuple[object, int, AlarmKind, object], list[AlarmEvent]] = {}
    for process in processes:
        for event in _own(process, judge(process), most):
            raised = event.judged.raised
            key = _job(process, processes), raised.step, raised.kind, raised.evidence.get("code")
            groups.setdefault(key, []).append(event)
    merged = [_told_once(group) for group in groups.values()]
    return tuple(sorted(merged, key=lambda event: (not event.is_of_the_loop, event.judged.raised.step)))


def of_one_job(process: Process, other: Process) -> bool:
    """Whether two processes train one model together, or are the same."""
    return process.pid == other.pid or process.world == other.world > 1


def _job(process: Process, processes: Sequence[Process]) -> object:
    """What the ranks of one job have in common; scripts that ran one after the other are jobs of their own."""
    if process.world < 2:
        return process.pid
    alike = [other.pid for other in processes if (other.world, other.rank) == (process.world, process.rank)]
    return process.world, alike.index(process.pid)


def _own(process: Process, judged: Sequence[Judged], most: int) -> Iterator[AlarmEvent]:
    entries = {_key(entry.raised): entry for entry in process.raised}
    made = sum(entry.report is not None for entry in process.raised)
    for each in judged:
        entry = entries.pop(_key(each.raised), None) or _unexplained(process, each.raised, made >= most)
        known = with_reason(process, _against_chance(process, each, entry), entry)
        yield AlarmEvent(process=process, judged=known, entry=entry)
    for entry in entries.values():  # raised, and the process was ended before its vitals were written
        finding = entry.raised.kind is AlarmKind.NONFINITE
        judgement = Judged(raised=entry.raised, last_step=entry.raised.step, outcome=Outcome.OPEN, finding=finding)
        yield AlarmEvent(process=process, judged=judgement, entry=entry)


def _against_chance(process: Process, judged: Judged, entry: RaisedEntry) -> Judged:
    """An alarm that the end of the script left open, as a finding where the loss ended worse than chance (Lm).

    Chance is that of the step. Where the step's loss is at chance, the model has been thrown off, and Lm, an answer of
    its own, is as far off as it is: then it is that of the last samples before, if less.
    """
    chance = _chance(process, judged.raised, entry)
    if judged.outcome is not Outcome.OPEN or judged.finding or chance is None or judged.raised.kind in SLOW:
        return judged
    course = [v.loss for v in process.vitals if v.optimizer == judged.raised.optimizer and v.step >= judged.raised.step]
    losses = [loss for loss in course if loss is not None][-LEAST_TAIL:]
    if len(losses) < LEAST_TAIL or not median(losses) > chance:
        return judged
    told = f"at the end the loss is {median(losses):.3g}, and one answer for every sample costs {chance:.3g}"
    return replace(judged, finding=True, told=told)


def _chance(process: Process, raised: Raised, entry: RaisedEntry) -> float | None:
    loss, own = raised.evidence.get("loss"), entry.chance
    alone = len({vital.optimizer for vital in process.vitals}) == 1  # those of a game move what the others' losses are
    if own is None or not alone or not isinstance(loss, int | float) or loss < ALARMING.at_chance * own:
        return own
    mine = (each for each in process.samples if each.optimizer == raised.optimizer and each.step < raised.step)
    before = [each.chance for each in mine if each.chance is not None]
    return min(own, median(before[-ALARMING.samples :])) if before else own


def _key(raised: Raised) -> tuple[AlarmKind, int, int, object]:
    return raised.kind, raised.step, raised.optimizer, raised.evidence.get("code")


def _unexplained(process: Process, raised: Raised, full: bool) -> RaisedEntry:
    """An alarm of which the process wrote nothing."""
    reason = "--max-diagnoses were made before it" if full else "the process ended before it was explained"
    at = next((v.optimizer_step for v in process.vitals if v.step == raised.step), raised.step)
    return RaisedEntry(raised=raised, optimizer_step=at, reason=reason)


def _told_once(group: list[AlarmEvent]) -> AlarmEvent:
    """The event of the rank that explains it best, and which others had it.

    Where values are not finite that is the rank whose own batch made them: the others got them by the all-reduce.
    """
    best = min(
        group,
        key=lambda event: (
            not event.stands,
            _GRAVITY[event.judged.outcome],
            not event.shows_fault,
            event.entry.replay is not Replay.EXACT,
            event.process.rank,
        ),
    )
    others = sorted({event.process.rank for event in group} - {best.process.rank})
    if not others:
        return best
    if best.shows_fault and not any(event.shows_fault for event in group if event is not best):
        return replace(best, among=f"made on rank {best.process.rank}; the all-reduce brought it to {_ranks(others)}")
    everyone = len(others) + 1 == best.process.world
    where = f"on all {best.process.world} ranks" if everyone else f"also on {_ranks(others)}"
    return replace(best, among=where)


def _ranks(ranks: Sequence[int]) -> str:
    return f"{'rank' if len(ranks) == 1 else 'ranks'} {', '.join(map(str, ranks))}"
