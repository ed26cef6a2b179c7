"""A run of a training script: what was seen at every step, what was raised, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.source import SourceLine


class AlarmKind(str, Enum):
    """What an alarm of a run is about (THEORY.md, section 7)."""

    NONFINITE = "nonfinite"
    LOSS_SPIKE = "loss-spike"
    GRAD_SPIKE = "grad-spike"
    UPDATE_SPIKE = "update-spike"
    DIVERGING = "diverging"
    OVERFLOW = "overflow"
    SCALE_COLLAPSE = "scale-collapse"
    READING = "reading"
    STUCK = "stuck"
    SWINGING = "swinging"
    COLLAPSE = "collapse"
    SATURATING = "saturating"
    DEAD_GROWING = "dead-growing"
    SHADOW = "shadow"
    LOOP = "loop"


class Outcome(str, Enum):
    """What the rest of the run made of an alarm."""

    CONFIRMED = "confirmed"
    RECOVERED = "recovered"
    OPEN = "open"


class Replay(str, Enum):
    """Whether a step could be repeated: loss bit for bit and every gradient to 1e-6 of its norm, or not."""

    EXACT = "exact"
    INEXACT = "inexact"
    IMPOSSIBLE = "impossible"


class Why(str, Enum):
    """Why a step was diagnosed without an alarm."""

    FIRST = "first"
    AT = "at"
    STEPS = "steps"


@dataclass(frozen=True, kw_only=True, slots=True)
class Vital:
    """What was read at one attempted update. What could not be had is None.

    Attributes:
        step: Attempted updates over all optimisers so far, from 1.
        optimizer: The optimiser's number in order of its first update, from 0.
        optimizer_step: Its own attempted updates, from 1.
        loss: Mean of the losses of its backward passes, without a loss scale.
        grad_norm: L2 norm of its parameters' gradients, before clipping, without a loss scale; computed in float32.
        finite: Whether the loss and all of those gradients are finite.
        scale: The loss scale of a GradScaler, or None without one.
        rate: The largest learning rate of its groups, as far as it is known without waiting for a device.
        skipped: Whether a GradScaler skipped the update.
        phase: A number that changes where the run itself changes: learning rate by more than a factor of two upwards,
            which parameters learn, another loss, another model. The statistics start anew there.
    """

    step: int
    optimizer: int = 0
    optimizer_step: int = 1
    loss: float | None = None
    grad_norm: float | None = None
    finite: bool = True
    scale: float | None = None
    rate: float | None = None
    skipped: bool = False
    phase: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Raised:
    """An alarm as it is raised: early, while the step's tape is there.

    Attributes:
        step: The step at which it was raised.
        message: What was seen, in a sentence with its numbers.
        evidence: The numbers by name.
    """

    kind: AlarmKind
    step: int
    optimizer: int
    message: str
    evidence: Mapping[str, float | int | str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """An alarm as the rest of the run judges it.

    Attributes:
        raised: What was raised.
        last_step: The last step of the event.
        outcome: What became of it.
        finding: Whether an open alarm stands as a finding: what was seen is not finite, or worse than chance.
        told: What it was judged by, in a sentence with its numbers.
    """

    raised: Raised
    last_step: int
    outcome: Outcome
    finding: bool
    told: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """One event of a run, explained and judged: an entry of `alarms` in gradcheck-run/1.

    Attributes:
        kind: What it is about.
        step: The step at which it began, counting attempted updates over all optimisers from 1.
        last_step: The last step of the event.
        rank: The process, as torch.distributed counts.
        optimizer: The optimiser's number in order of its first update.
        optimizer_step: Its own step.
        micro_batch: The backward pass within the step that was explained, from 0.
        source: The line of the user's that started the backward pass, or the update.
        verdict: What the rest of the run made of it.
        message: What was seen, with its numbers.
        evidence: The numbers by name.
        samples: Rows of the batch that carry it, or None where that is not known.
        replay: Whether the step could be repeated.
        report: The diagnosis of the step; its first finding is the alarm's own (GC63x, GC64x).
    """

    kind: AlarmKind
    step: int
    last_step: int
    rank: int = 0
    optimizer: int = 0
    optimizer_step: int = 1
    micro_batch: int = 0
    source: SourceLine | None = None
    verdict: Outcome
    message: str
    evidence: Mapping[str, float | int | str]
    samples: tuple[int, ...] | None = None
    replay: Replay
    report: Report


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosed:
    """A step that was diagnosed without an alarm: an entry of `diagnoses` in gradcheck-run/1."""

    step: int
    why: Why
    replay: Replay
    report: Report


class Point(NamedTuple):
    """A stretch of a series: its first step, and the least, the mean and the greatest of its values."""

    step: int
    min: float
    mean: float
    max: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerCourse:
    """A layer over the run.

    Attributes:
        steps: Where its gradient was read.
        relative_gradient: |g|/|w| at each of them, None where it had none.
        output_steps: Where the scale of its output was sampled.
        output_rms: RMS of its output at each of those, None where it was not called.
    """

    steps: tuple[int, ...]
    relative_gradient: tuple[float | None, ...]
    output_steps: tuple[int, ...] = ()
    output_rms: tuple[float | None, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Overhead:
    """What watching cost, by the watcher's own clock: per step, and as a share of the time of a step.

    Diagnoses are not in it; `seconds` of the timeline tells them.
    """

    ms_per_step: float
    percent: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """How a script uses one optimiser, as the calls show it.

    Attributes:
        optimizer: Its number in order of its first update, from 0.
        kind: The name of its class; that there is none where updates are made by hand.
        updates: Those attempted so far.
        first_rate: Its highest learning rate at the first of them, and `last_rate` at the last.
        rates: How often that has changed.
        passes: Backward passes that they were made of, all together.
        clipped: Updates whose gradients were clipped, and were longer than the limit as far as that is known.
        clip_limit: The L2 norm that gradients were clipped to last; None where they were not, or by something else.
        scaled: Whether a GradScaler is asked for its updates, and `skipped` how many of them that left out.
        autocast: The low precision that the first step ran in; empty for none.
        rows: The first size of the first tensor that was given to the first step.
        frozen: Share of the elements of the modules that were called which does not learn.
    """

    optimizer: int = 0
    kind: str = ""
    updates: int = 0
    first_rate: float | None = None
    last_rate: float | None = None
    rates: int = 0
    passes: int = 0
    clipped: int = 0
    clip_limit: float | None = None
    scaled: bool = False
    skipped: int = 0
    autocast: str = ""
    rows: int | None = None
    frozen: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """One run of a script: the document gradcheck-run/1.

    Attributes:
        command: The command after `gradcheck run` and its options.
        status: Ill with a finding above a note, unknown where no step was seen, failed where nothing could be watched.
        exit_code: The script's own if it is not 0, else 1 on findings at `--fail-on`, else 2 where no step was seen or
            the watcher stepped aside, else 0.
        script_exit: How the script ended, 128 + N for signal N; None where we ended it (`--steps`, `--on-alarm stop`).
        steps: Attempted updates over all optimisers, of the rank that made most.
        ranks: Processes in which a step was seen.
        alarms: Events: faults of the loop first, then the others, each by step.
        diagnoses: Steps that were diagnosed without an alarm.
        series: "loss", "grad_norm", "rate" (the learning rate), ("scale"; "skipped": 1 where a GradScaler skipped the
            update, if it ever did): downsampled so that spikes survive; of rank 0; where there are several optimisers,
            also "loss/1", "grad_norm/1", ... for those after the first. On sampled steps alone: "update_ratio" (the
            largest |dw|/|w|), "adam_rms" (RMS of dw/lr), "own_batch_descent" (share of its loss by which an update
            lowers that of its own batch), "distinguishability" (D at the head), and over the layers "dead",
            "saturated" (shares) and "output_rms".
        layers: By the layer's name.
        notes: What a reader has to know: vitals that could not be had, steps that could not be repeated, ...
        seconds: "total", and "diagnoses".
        error: Why nothing could be watched.
        optimizers: What the script does with each, of rank 0.
        evaluations: Calls of what is trained that were made without gradients, of rank 0.
        trial_passes: Forward and backward passes that trying updates again took, in all processes.
    """

    command: tuple[str, ...]
    status: Status
    exit_code: int
    script_exit: int | None = None
    steps: int = 0
    ranks: int = 0
    alarms: tuple[Alarm, ...] = ()
    diagnoses: tuple[Diagnosed, ...] = ()
    series: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    layers: Mapping[str, LayerCourse] = field(default_factory=dict)
    overhead: Overhead | None = None
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    optimizers: tuple[Use, ...] = ()
    evaluations: int = 0
    trial_passes: int = 0

    @property
    def reports(self) -> tuple[Report, ...]:
        """Those of its alarms, then those of its diagnoses."""
        return (*(alarm.report for alarm in self.alarms), *(diagnosed.report for diagnosed in self.diagnoses))

    @property
    def ok(self) -> bool:
        """Whether the script ended well and nothing was found at or above its `fail_on`."""
        return self.exit_code == 0
