"""A run in words that several formats use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import Alarm, Diagnosed, Outcome, Overhead, Point, Timeline, Use, Why
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.verdicts import codes_in_words, duration, finding_key, serious, severities_in_words
from gradcheck_cli.words import count_of

_LABELS = {"loss": "loss", "grad_norm": "|grad|", "rate": "lr", "scale": "loss scale"}
_SAMPLED = {
    "update_ratio": "|dw|/|w|",
    "adam_rms": "Adam's RMS",
    "own_batch_descent": "descent",
    "distinguishability": "differing share",
    "dead": "dead",
    "saturated": "saturated",
    "output_rms": "output RMS",
}
"""Series of sampled steps."""
_WHY = {Why.FIRST: "the first step", Why.AT: "--at", Why.STEPS: "--steps"}


def run_facts(run: Timeline) -> list[str]:
    """`120 steps`, `3.1 s`, `2 processes`, what watching took: what is known."""
    ranks = [f"{run.ranks} processes"] if run.ranks > 1 else []
    total = run.seconds.get("total")
    took = [duration(total)] if total is not None else []
    cost = run.overhead
    watched = [_watching(cost)] if cost else []
    evaluated = [f"{count_of(run.evaluations, 'call')} to evaluate"] if run.evaluations else []
    return [count_of(run.steps, "step"), *evaluated, *took, *ranks, *watched]


def _watching(cost: Overhead) -> str:
    if cost.percent <= 0:
        return f"watching adds {cost.ms_per_step:.2g} ms a step"
    share = f"{cost.percent:.0f}" if cost.percent >= 10 else f"{cost.percent:.1f}"
    return f"watching adds {share} % to {100 * cost.ms_per_step / cost.percent:.3g} ms a step"


def uses_in_words(run: Timeline) -> list[str]:
    """`AdamW, lr 0.001 to 1e-05 (7 changes), batch 32, 4 passes an update, clipped at 100 %, ...`: one an optimiser."""
    several = len(run.optimizers) > 1
    return [(f"optimizer {use.optimizer}: " if several else "") + ", ".join(_use(use)) for use in run.optimizers]


def _use(use: Use) -> Iterator[str]:
    yield use.kind
    if use.first_rate is not None and use.last_rate is not None:
        to = f" to {use.last_rate:.3g} ({count_of(use.rates, 'change')})" if use.rates else ""
        yield f"lr {use.first_rate:.3g}{to}"
    if use.rows is not None:
        yield f"batch {use.rows}"
    if use.passes > use.updates > 0:
        yield f"{use.passes / use.updates:.3g} backward passes an update"
    if use.clipped:
        limit = "" if use.clip_limit is None else f" to a norm of {use.clip_limit:.3g}"
        yield f"clipped{limit} at {use.clipped / use.updates:.0%} of its updates"
    if use.scaled:
        yield f"GradScaler, {count_of(use.skipped, 'update')} skipped"
    if use.autocast:
        yield f"autocast {use.autocast}"
    if use.frozen:
        yield f"{use.frozen:.0%} of the weights frozen"


def run_verdict(run: Timeline) -> list[str]:
    """What the run came to."""
    if run.status is Status.FAILED:
        return ["could not be watched"]
    if run.status is Status.UNKNOWN:
        return ["unknown: the watcher stepped aside" if run.steps else "unknown: no step was seen"]
    steps = count_of(run.steps, "step")
    if run.status is Status.HEALTHY:
        alarms, open_ = len(run.alarms), sum(alarm.verdict is Outcome.OPEN for alarm in run.alarms)
        if open_:
            return [
                "nothing confirmed",
                steps,
                f"{count_of(alarms, 'alarm')}, {open_} left open by the end",
            ]
        return ["healthy", steps, *([f"{count_of(alarms, 'alarm')}, none confirmed"] if alarms else [])]
    found = {finding_key(f): f for report in run.reports for f in serious(report)}
    findings = list(found.values())
    return [*severities_in_words(findings), *codes_in_words(findings)]


def diagnosis_place(diagnosed: Diagnosed, run: Timeline) -> list[str]:
    """`step 1 of 120`, `the first step`: which step was diagnosed, and why."""
    return [f"step {diagnosed.step} of {run.steps}", _WHY[diagnosed.why]]


def script_end(run: Timeline) -> list[str]:
    """How the script ended, where that is not well."""
    return [f"the script ended with {run.script_exit}"] if run.script_exit else []


def is_explained(alarm: Alarm) -> bool:
    """Whether its own finding, the first, is followed by one that says why; the remedies are that one's, too.

    A learning rate that rose just before is a reason of its own, whatever the step shows by then.
    """
    findings = serious(alarm.report)
    return len(findings) > 1 and findings[0].rule == alarm.kind.value and not _blames_the_rate(findings)


def _blames_the_rate(findings: Sequence[Finding]) -> bool:
    """Whether the first is cured by a lower rate, which rose before it, and the next is not."""
    cures = {remedy.id for remedy in findings[1].remedies}
    own = next((remedy.id for remedy in findings[0].remedies), "")
    return "rate_risen" in findings[0].evidence and own == "lower-lr" and own not in cures


def alarm_line(alarm: Alarm) -> SourceLine | None:
    """The line to look at: that of what explains an alarm, else its own, else where its backward pass was started."""
    explaining = serious(alarm.report)[int(is_explained(alarm)) :][:1]
    return next((finding.source for finding in explaining if finding.source is not None), alarm.source)


def alarm_place(alarm: Alarm, run: Timeline, *, line: bool = True) -> list[str]:
    """`step 57 of 120`, `nonfinite`, `train.py:23`, `row 5`: where an alarm was raised, with the `line` to look at."""
    parts = [f"step {alarm.step} of {run.steps}", alarm.kind.value]
    parts += [f"{source.file}:{source.line}"] if line and (source := alarm_line(alarm)) else []
    parts += [f"rank {alarm.rank}"] if run.ranks > 1 else []
    parts += (
        [f"step {alarm.optimizer_step} of optimizer {alarm.optimizer}"] if alarm.optimizer_step != alarm.step else []
    )
    parts += [f"micro-batch {alarm.micro_batch}"] if alarm.micro_batch else []
    if alarm.samples:
        parts += [f"{'row' if len(alarm.samples) == 1 else 'rows'} {', '.join(map(str, alarm.samples))}"]
    return parts


def passed(alarm: Alarm) -> str:
    """An alarm that is no finding, in one line."""
    became = {Outcome.RECOVERED: "recovered", Outcome.OPEN: "open"}.get(alarm.verdict, "not shown")
    own = alarm.kind.value, str(alarm.evidence.get("code", ""))
    finding = next((f for f in alarm.report.findings if f.rule == own[0] or f.code == own[1]), None)
    why = f"; {finding.why.replace(f'{alarm.message}; ', '')}" if finding and finding.why else ""
    return f"step {alarm.step} · {alarm.kind.value} · {became}: {alarm.message}{why}"


def says_something(name: str, points: Sequence[Point]) -> bool:
    """Whether a series is a curve to be read: a rate or a loss scale that stays, and what marks steps, are none."""
    moves = len({(point.min, point.max) for point in points}) > 1
    return bool(points) and (moves or not name.startswith(("rate", "scale"))) and not name.startswith("skipped")


def worth_showing(name: str, points: Sequence[Point], style: Style) -> bool:
    """Whether a series has a line in a report that is short: what is sampled is for those who ask for all."""
    if style.verbose:
        return bool(points) and not name.startswith("skipped")
    return says_something(name, points) and name.partition("/")[0] not in _SAMPLED


def series_label(name: str) -> str:
    """What a series is called."""
    series, _, optimizer = name.partition("/")
    return {**_LABELS, **_SAMPLED}.get(series, series) + (f" of optimizer {optimizer}" if optimizer else "")
