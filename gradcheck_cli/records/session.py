"""What the processes of a run wrote into its session, as it is read back: the standard library alone is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gradcheck_cli.records.apart import Apart
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.retrying import Retried
from gradcheck_cli.records.shadow import Shadowed
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import Diagnosed, Judged, Point, Raised, Replay, Use, Vital


@dataclass(frozen=True, kw_only=True, slots=True)
class Without:
    """What some rows do to a step: its loss and gradient norm with them, and without."""

    loss: float
    norm: float
    loss_left: float
    norm_left: float


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
        reason: Why it could not, or not exactly, or why one backward pass of the update alone was repeated.
        samples: Rows of the batch that carry it, or None where that is not known.
        apart: What those rows have that the others have not, where that was found.
        novel: What they, or the batch, have that the batches before had not, where that was found.
        without: The loss and the gradient norm of the step as it is and without those rows, where they are known.
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
    apart: Apart | None = None
    novel: Apart | None = None
    without: Without | None = None
    report: Report | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerSample:
    """The layers at a sampled step: |g| / |w| by their names, None for one without a gradient."""

    step: int
    relative_gradient: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What is read on sampled steps alone (THEORY.md, section 7). What could not be had is None.

    Attributes:
        optimizer: The optimiser's number in order of its first update.
        loss: The loss of the step's one backward pass, as it was repeated.
        after: The same batch's, with the same random state, once the optimiser has stepped (own-batch descent).
        undropped: That with dropout off, where any was on.
        chance: Lm (THEORY.md, section 4a): the loss of that batch with one answer for every sample.
        update: |dw| / |w|, the largest over the parameters, matrices alone where there are any.
        update_rms: RMS of dw / lr where the optimiser normalises its updates, as Adam does.
        weight: |w| over the parameters that the optimiser holds.
        decay: wd |w| / |g|, the largest over the groups of the optimiser, where it has a weight decay.
        dead: Share of units off for the whole batch, by the module that puts them out.
        saturated: Share of elements whose slope is below a hundredth of the largest, likewise.
        output_rms: RMS of what each layer, a module that owns parameters, puts out; the largest of its calls.
        distinguishability: D of what goes into the head (THEORY.md, section 4b): 0 where all samples are one.
        blocks: Share of the targets' spread that lies between the last batches; None where that is not known.
        swing: Correlation of the loss with how far a batch's targets lie from those just before it, likewise.
        copies: Share of units that are copies of others, by layer, where it is half or more; None where that was not
            looked at.
        taken_back: How often so far something but the optimiser took back more than half of what updates had done.
    """

    step: int
    optimizer: int = 0
    loss: float | None = None
    after: float | None = None
    undropped: float | None = None
    chance: float | None = None
    update: float | None = None
    update_rms: float | None = None
    weight: float | None = None
    decay: float | None = None
    dead: Mapping[str, float] = field(default_factory=dict)
    saturated: Mapping[str, float] = field(default_factory=dict)
    output_rms: Mapping[str, float] = field(default_factory=dict)
    distinguishability: float | None = None
    blocks: float | None = None
    swing: float | None = None
    copies: Mapping[str, float] | None = None
    taken_back: int = 0

    @property
    def descent(self) -> float | None:
        """Share of its loss by which the update lowered that of its own batch: below 0 where it raised it."""
        if not self.loss or self.after is None:
            return None
        return (self.loss - self.after) / abs(self.loss)

    @property
    def against_chance(self) -> float | None:
        """The loss over Lm of the same batch: the noise between batches is in both, so that it cancels."""
        if self.loss is None or self.chance is None or not 0 < self.chance < math.inf or not 0 < self.loss < math.inf:
            return None
        return self.loss / self.chance


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawn:
    """A fault of an optimiser's loop, by its rule, that was seen to have passed at a step."""

    code: str
    optimizer: int
    step: int


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
        glanced: Updates of which no more was read than that they were finite and as usual, to keep to the budget.
        slept: Updates that were slept through for that.
    """

    steps: int
    watching: float
    total: float
    diagnoses: float = 0.0
    glanced: int = 0
    slept: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """What is known of every vital of a process that was read, though not all of them are kept.

    Attributes:
        judged: Its alarms, judged by all of them.
        updates: How many there were.
        unread: How many of them had no number, by the names of those fields that may have none.
        curves: The series that they make, by optimiser and field: empty where all of them are kept.
    """

    judged: tuple[Judged, ...]
    updates: int
    unread: Mapping[str, int]
    curves: Mapping[tuple[int, str], tuple[Point, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """One process in which a backward pass or an update was made.

    Attributes:
        rank: As torch.distributed counts, of `world` processes.
        versions: Of "torch" and "python".
        vitals: Of every attempted update, in their order; of a long run the first, the last and some between.
        whole: What is known of all of them, and `whole_before` without what was left.
        raised: Every alarm, in the order in which they were raised.
        diagnosed: Steps that were diagnosed without an alarm.
        aside: Why the watcher stepped aside; empty where it did not.
        cost: As it was told last.
        uses: What it does with its optimisers, as it was told last.
        evaluations: Calls of what is trained that were made without gradients, likewise.
        retried: Updates that were made again on a copy, in order.
        shadowed: What came of training a copy after the script had ended, where that was asked for.
        left: Where there is one more step than the script took, made of what was not finite when it ended: how many it
            took. That step counts only where the script has failed, which its parent knows.
    """

    pid: int
    rank: int = 0
    world: int = 1
    versions: Mapping[str, str] = field(default_factory=dict)
    vitals: tuple[Vital, ...] = ()
    raised: tuple[RaisedEntry, ...] = ()
    diagnosed: tuple[Diagnosed, ...] = ()
    layers: tuple[LayerSample, ...] = ()
    samples: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()
    aside: str = ""
    stopped: Stopped | None = None
    cost: Cost | None = None
    uses: tuple[Use, ...] = ()
    evaluations: int = 0
    left: int | None = None
    whole: Whole | None = None
    whole_before: Whole | None = None
    retried: tuple[Retried, ...] = ()
    shadowed: Shadowed | None = None

    def without_what_it_left(self) -> Process:
        """The process as it is where the script ended well."""
        if self.left is None:
            return self
        vitals = tuple(vital for vital in self.vitals if vital.step <= self.left)
        raised = tuple(entry for entry in self.raised if entry.raised.step <= self.left)
        return replace(self, vitals=vitals, raised=raised, whole=self.whole_before)
