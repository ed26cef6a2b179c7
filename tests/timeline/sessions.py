"""Hand-written sessions: what the processes of such runs would have written, and how their alarms are judged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from gradcheck_cli.records.choices import About, Family, Severity, Status
from gradcheck_cli.records.report import Finding, Opinion, Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Cost, LayerSample, Process, RaisedEntry, Stopped
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import (
    AlarmKind,
    Diagnosed,
    Judged,
    Outcome,
    Raised,
    Replay,
    Timeline,
    Vital,
    Why,
)
from gradcheck_cli.timeline import assembled
from tests.reports.examples import RELU, layer, report
from tests.reports.examples import finding as finding_

BACKWARD = SourceLine(file="train.py", line=41, code="    loss.backward()")
LINE = SourceLine(file="train.py", line=23, code="    return ((a - b) ** 2).sum(1).sqrt()")
VERSIONS = {"torch": "2.9.0", "python": "3.12.3"}
_pids = count(100)


def finding(**changes: object) -> Finding:
    """A non-finite origin, unless changed."""
    usual: dict[str, object] = {
        "code": "GC104",
        "rule": "backward-origin",
        "family": Family.NONFINITE,
        "severity": Severity.ERROR,
        "cause": "sqrt-zero",
        "message": "the gradient becomes NaN: the slope of sqrt is infinite at 0, at 1 of 32 elements",
        "why": "its input is from 0 to 3.1 (32 float32), and is 0 at [6]",
        "op": "sqrt",
        "source": LINE,
        "evidence": {"smallest": 0.0},
        "remedies": (replace(RELU, id="eps", title="a small eps under the root", detail="It keeps the slope finite."),),
        "shares": (),
    }
    return finding_(("net.0",), **{**usual, **changes})


def exploding(**changes: object) -> Finding:
    """A loss that explodes at step 1."""
    usual: dict[str, object] = {
        "code": "GC301",
        "rule": "exploding-loss",
        "family": Family.EXPLODING,
        "cause": "large-init",
        "message": "the output explodes: the loss is 15,400, and a blind guess gives 1.10",
        "why": "10 weights make it larger by 4.1 decades",
        "source": SourceLine(file="train.py", line=9, code="nn.init.normal_(m.weight, std=0.6)"),
        "evidence": {"loss": 15400.0, "chance": 1.0986},
        "remedies": (replace(RELU, id="init", title="initialise for the activation in use"),),
    }
    return finding(**{**usual, **changes})


def suspicion(severity: Severity = Severity.ERROR, **changes: object) -> Finding:
    """An explosion that its numbers alone make a suspicion."""
    opinion = Opinion(about=About.WHOLE, severity=severity, told="not tried; --try-budget decides")
    return exploding(severity=Severity.NOTE, opinion=opinion, **changes)


def step_report(*findings: Finding, **changes: object) -> Report:
    """The diagnosis of a step of two layers."""
    ill = any(f.severity is not Severity.NOTE for f in findings)
    code = findings[0].code if ill else "ok"
    layers = (layer("net.0", -0.4, code), layer("net.2", -0.1))
    usual: dict[str, object] = {
        "name": "train.py",
        "status": Status.ILL if ill else Status.HEALTHY,
        "exit_code": int(ill),
        "layers": layers,
        "findings": findings,
        "loss_source": "",
    }
    return report(**{**usual, **changes})


def vitals(losses: list[float], norms: list[float] | None = None, **changes: object) -> tuple[Vital, ...]:
    """One a loss, from step 1; the norms are the losses' halves unless given."""
    norms = norms or [loss / 2 for loss in losses]
    pairs = enumerate(zip(losses, norms, strict=True), start=1)
    made = (
        Vital(step=i, optimizer_step=i, loss=loss, grad_norm=norm, finite=math.isfinite(loss) and math.isfinite(norm))
        for i, (loss, norm) in pairs
    )
    return tuple(replace(vital, **changes) for vital in made)  # type: ignore[arg-type]


def falling(steps: int, start: float = 2.31, end: float = 0.12) -> list[float]:
    """A loss that falls geometrically, with a ripple of 4 %."""
    rate = (end / start) ** (1 / (steps - 1))
    return [start * rate**i * (1 + 0.04 * math.sin(i)) for i in range(steps)]


def process(**changes: object) -> Process:
    """One that learned within 160 steps."""
    usual: dict[str, object] = {
        "pid": next(_pids),
        "versions": VERSIONS,
        "vitals": vitals(falling(160)),
        "diagnosed": (Diagnosed(step=1, why=Why.FIRST, replay=Replay.EXACT, report=step_report()),),
        "cost": Cost(steps=160, watching=0.064, total=6.464, diagnoses=0.4),
    }
    return Process(**{**usual, **changes})  # type: ignore[arg-type]


def raised(kind: AlarmKind, step: int, message: str, **evidence: float) -> Raised:
    return Raised(kind=kind, step=step, optimizer=0, message=message, evidence=evidence)


NAN = raised(
    AlarmKind.NONFINITE, 73, "the loss is 0.41 and the gradient is NaN, at step 73 for the first time", loss=0.41
)
SPIKE = raised(AlarmKind.GRAD_SPIKE, 80, "the gradient's norm is 24 where it was 2.3 (z = 18)", norm=24.0, z=18.0)


def entry(alarm: Raised, *findings: Finding, **changes: object) -> RaisedEntry:
    """What the process made of an alarm: repeated exactly unless changed."""
    usual: dict[str, object] = {
        "raised": alarm,
        "optimizer_step": alarm.step,
        "source": BACKWARD,
        "replay": Replay.EXACT,
        "report": step_report(*findings),
    }
    return RaisedEntry(**{**usual, **changes})  # type: ignore[arg-type]


def judged(alarm: Raised, outcome: Outcome = Outcome.CONFIRMED, **changes: object) -> Judged:
    usual: dict[str, object] = {
        "raised": alarm,
        "last_step": alarm.step,
        "outcome": outcome,
        "finding": alarm.kind is AlarmKind.NONFINITE,
        "told": "",
    }
    return Judged(**{**usual, **changes})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Session:
    """A run that has ended; `verdicts` are given to each of its processes that raised such an alarm."""

    processes: tuple[Process, ...]
    verdicts: tuple[Judged, ...] = ()
    options: RunOptions = RunOptions(command=("train.py", "--epochs", "2"))  # noqa: RUF009 - frozen
    script_exit: int | None = 0
    seconds: float = 7.9

    def judge(self, process: Process) -> tuple[Judged, ...]:
        mine = [each.raised for each in process.raised]
        return tuple(each for each in self.verdicts if each.raised in mine)

    def timeline(self) -> Timeline:
        return assembled(self.processes, self.options, self.script_exit, self.seconds, self.judge)


def healthy() -> Session:
    return Session((process(),))


def layered() -> Session:
    samples = tuple(
        LayerSample(step=s, relative_gradient={"net.0": 0.01 / s, "net.2": None if s == 1 else 0.02})
        for s in (1, 8, 64)
    )
    scaled = vitals(falling(160), scale=1024.0)
    return Session((process(vitals=scaled, layers=samples),))


def nan(**changes: object) -> Session:
    """One bad row at step 73: a finite loss, a gradient that is not, and nothing finite afterwards."""
    losses = falling(73) + [math.nan] * 87
    norms = falling(72, start=1.2, end=0.3) + [math.nan] * 88
    told = "nothing was finite in the 87 steps after it"
    made = process(
        vitals=vitals(losses, norms),
        raised=(entry(NAN, finding(), samples=(6,)),),
    )
    return Session((replace(made, **changes),), (judged(NAN, last_step=160, told=told),))  # type: ignore[arg-type]


def recovered() -> Session:
    losses = falling(160)
    norms = [24.0 if i == 79 else loss / 2 for i, loss in enumerate(losses)]
    told = "the loss was back at 0.5 within 4 steps"
    spike = entry(SPIKE, exploding(message="`rnn` has gradients that grow through time", code="GC302"))
    made = process(vitals=vitals(losses, norms), raised=(spike,))
    return Session((made,), (judged(SPIKE, Outcome.RECOVERED, told=told),))


def opened() -> Session:
    losses = [*falling(78), 3.1, 3.4]
    spike = replace(SPIKE, kind=AlarmKind.LOSS_SPIKE, step=79, message="the loss is 3.1 where it was 0.15 (z = 31)")
    made = process(vitals=vitals(losses), raised=(entry(spike),))
    return Session((made,), (judged(spike, Outcome.OPEN, last_step=80),))


def blown() -> Session:
    alarm = raised(AlarmKind.NONFINITE, 3, "the loss is NaN, at step 3 for the first time")
    origin = finding(message="the loss is NaN: linear puts out Inf", cause="unknown", remedies=(), code="GC101")
    first = Diagnosed(step=1, why=Why.FIRST, replay=Replay.EXACT, report=step_report(exploding()))
    made = process(
        vitals=vitals([15400.0, 8.1e30, *[math.nan] * 238]), raised=(entry(alarm, origin),), diagnosed=(first,)
    )
    return Session((made,), (judged(alarm, last_step=240, told="nothing was finite in the 237 steps after it"),))


def ddp() -> Session:
    alarm = replace(NAN, step=22, message="the gradient is NaN, at step 22 for the first time")
    own = finding(message="the loss becomes NaN: div of 0 by 0, at 1 of 16 elements", cause="zero-div-zero")
    curve = vitals(falling(21) + [math.nan] * 59)
    ranks = (
        process(rank=0, world=2, vitals=curve, raised=(entry(alarm),)),
        process(rank=1, world=2, vitals=curve, raised=(entry(alarm, own, samples=(9,)),), diagnosed=()),
    )
    command = ("torchrun", "--nproc-per-node", "2", "train.py")
    return Session(ranks, (judged(alarm, last_step=80),), RunOptions(command=command), script_exit=1)


def unseen() -> Session:
    return Session(())


def aside() -> Session:
    return Session((process(vitals=(), diagnosed=(), aside="RuntimeError: no tape [red]"),))


def asked() -> Session:
    ill = Diagnosed(step=12, why=Why.STEPS, replay=Replay.EXACT, report=step_report(exploding()))
    made = process(vitals=vitals(falling(12)), diagnosed=(ill,), stopped=Stopped(step=12, why="steps"))
    return Session((made,), options=RunOptions(command=("train.py",), steps=12))


def hostile() -> Session:
    where = SourceLine(file="[/x]\x1b.py", line=3, code="[red]\x07")
    alarm = replace(NAN, message="[/b] \x1b[2J")
    bad = finding(message="[red]\x1b", source=where, why="[/]")
    made = process(raised=(entry(alarm, bad, source=where),), notes=("[bold]note\x1b]0;x\x07",))
    return Session((made,), (judged(alarm, told="[/t]\n"),), RunOptions(command=("[/b].py", "\x1b[31m", "\udc80")))


SESSIONS: dict[str, Callable[[], Session]] = {
    "healthy": healthy,
    "layered": layered,
    "nan": nan,
    "recovered": recovered,
    "opened": opened,
    "blown": blown,
    "ddp": ddp,
    "unseen": unseen,
    "aside": aside,
    "asked": asked,
    "hostile": hostile,
}
