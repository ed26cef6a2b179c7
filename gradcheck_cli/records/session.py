"""What the processes of a run wrote into its session, as it is read back: the standard library alone is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import Diagnosed, Raised, Replay, Vital


@dataclass(frozen=True, kw_only=True, slots=True)
class RaisedEntry:
    """An alarm as a process raised it, with what was made of its step while the tape was there.

    Attributes:
        raised: The alarm.
        micro_batch: The backward pass within the step that was repeated, from 0.
        optimizer_step: The optimiser's own step, from 1.
        source: The line of the user's that started the backward pass, or the update.
        optimizer_source: The line that made the optimiser, where that was seen.
        chance: Lm of the step (THEORY.md, section 4a): its loss with one answer for every sample; None if unknown.
        replay: Whether the step could be repeated.
        reason: Why it could not, or not exactly.
        samples: Rows of the batch that carry it, or None where that is not known.
        report: The diagnosis of the step; None where nothing was repeated.
    """

    raised: Raised
    micro_batch: int = 0
    optimizer_step: int = 1
    source: SourceLine | None = None
    optimizer_source: SourceLine | None = None
    chance: float | None = None
    replay: Replay = Replay.IMPOSSIBLE
    reason: str = ""
    samples: tuple[int, ...] | None = None
    report: Report | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerSample:
    """The layers at a sampled step: |g| / |w| by their names, None for one without a gradient."""

    step: int
    relative_gradient: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopped:
    """The step after which the watcher ended the script, and which option asked for it: "steps" or "alarm"."""

    step: int
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What watching cost so far, in seconds by the watcher's own clock.

    Attributes:
        steps: Attempted updates.
        watching: Spent in the watcher, without the diagnoses.
        total: Since the first step began, all included.
        diagnoses: Spent in diagnoses.
    """

    steps: int
    watching: float
    total: float
    diagnoses: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """One process in which a backward pass or an update was made.

    Attributes:
        rank: As torch.distributed counts, of `world` processes.
        versions: Of "torch" and "python".
        vitals: Of every attempted update, in their order.
        raised: Every alarm, in the order in which they were raised.
        diagnosed: Steps that were diagnosed without an alarm.
        aside: Why the watcher stepped aside; empty where it did not.
        cost: As it was told last.
    """

    pid: int
    rank: int = 0
    world: int = 1
    versions: Mapping[str, str] = field(default_factory=dict)
    vitals: tuple[Vital, ...] = ()
    raised: tuple[RaisedEntry, ...] = ()
    diagnosed: tuple[Diagnosed, ...] = ()
    layers: tuple[LayerSample, ...] = ()
    notes: tuple[str, ...] = ()
    aside: str = ""
    stopped: Stopped | None = None
    cost: Cost | None = None
