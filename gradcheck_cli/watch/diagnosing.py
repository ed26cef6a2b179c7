"""A step that went wrong, or was asked for, repeated and explained while its tape is there."""

from __future__ import annotations

import linecache
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter  # as it is now: a script may put its own clock in its place
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from gradcheck_cli.errors import GradcheckError
from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.apart import Apart
from gradcheck_cli.records.choices import Family
from gradcheck_cli.records.documents import report_to_dict
from gradcheck_cli.records.enquiry import AtChance
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Without
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.spec import Step
from gradcheck_cli.records.timeline import AlarmKind, Raised, Replay, Vital, Why
from gradcheck_cli.runtime.passes import forward_pass, loss_alone
from gradcheck_cli.runtime.rows import apart
from gradcheck_cli.runtime.state import preserved
from gradcheck_cli.watch.accumulation import Accumulation
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Data
from gradcheck_cli.watch.isolation import unheard, without_modes
from gradcheck_cli.watch.proof import verify
from gradcheck_cli.watch.replay import line_of, step_of
from gradcheck_cli.watch.samples import bad_rows, holds_pairs, rows_in, without
from gradcheck_cli.watch.session import Session
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.vitals import Norms
from gradcheck_cli.watch.watchedthread import running_beside

_T = TypeVar("_T")
TOO_LARGE = "the inputs of the update's backward passes were too large to keep"


class Explain(Protocol):
    """What explains a step that can be repeated, as `gradcheck check` would."""

    def __call__(self, step: Step, *, trials: bool) -> Report:
        """The report on a step, with remedies tried where that is wanted."""


Chance = Callable[[Step], AtChance | None]
"""Holds a step against one answer for every sample, if that can be had."""


class Seen(NamedTuple):  # one is made at every step
    """One backward pass, as it was read.

    Attributes:
        backward: The pass, with its tape.
        loss: Its loss without a loss scale; None where it did not start from one real number.
        norms: The gradients as they stand after it.
        scale: The loss scale that is in them, 1 without one.
    """

    backward: Backward
    loss: float | None
    norms: Norms
    scale: float

    @property
    def finite(self) -> bool:
        """Whether its loss and the gradients after it are finite."""
        return (self.loss is None or math.isfinite(self.loss)) and self.norms.finite

    def emptied(self) -> Seen:
        """What was read, without the inputs of the pass: they were too large to keep."""
        return Seen(self.backward.emptied(TOO_LARGE), self.loss, self.norms, self.scale)

    def let_go(self) -> Seen:
        """What was read, without what the pass was made of: after the update it cannot be repeated any more."""
        backward = Backward(self.backward.kind, self.backward.place, None)
        backward.why = "the parameters were updated since the backward pass"
        return Seen(backward, self.loss, self.norms.let_go(), self.scale)


@dataclass(frozen=True, slots=True)
class Repeated:
    """What came of repeating a step.

    Attributes:
        replay: Whether it was the step.
        why: Why it was not, for a note.
        micro_batch: The backward pass that was explained.
        report: The diagnosis; None where it could not be repeated exactly.
        samples: Rows of its batch that carry what is wrong, or None.
        apart: What they have that the others have not, or None.
        novel: What they, or the batch, have that those before had not, or None.
        without: What the step is with them and without, or None.
        chance: Lm of the step, or None.
    """

    replay: Replay
    why: str
    micro_batch: int
    report: Report | None = None
    samples: tuple[int, ...] | None = None
    apart: Apart | None = None
    novel: Apart | None = None
    without: Without | None = None
    chance: float | None = None


class NoveltyDetector(Protocol):
    """Who remembers what batches were made of."""

    def novel(self, backward: Backward, batch: Mapping[str, Tensor], rows: Sequence[int] | None) -> Apart | None:
        """What a batch has that those before it had not."""


class Diagnosing:
    """Repeats steps, and tells what they came to.

    Attributes:
        seconds: What that took so far.
    """

    def __init__(
        self,
        options: RunOptions,
        session: Session,
        explain: Explain,
        chance: Chance,
        tape: Tape,
        accumulation: Accumulation,
        batches: NoveltyDetector,
    ) -> None:
        self._batches = batches
        self._options, self._session, self._explain, self._chance = options, session, explain, chance
        self._tape, self._accumulation = tape, accumulation
        self._left = options.max_diagnoses
        self.seconds = 0.0

    def alarm(
        self,
        raised: Raised,
        vital: Vital,
        seen: Sequence[Seen],
        usual: float | None,
        made_at: tuple[str, int] | None,
    ) -> Repeated:
        """Explain what raised an alarm, where the run may still make a diagnosis; what came of it.

        Args:
            raised: The alarm.
            vital: The step's reading.
            seen: The backward passes that it is made of.
            usual: What the number that the alarm is about was before, if that is known.
            made_at: The file and line that made the optimiser.
        """
        if self._left > 0 and seen:
            self._left -= 1
            came = self.timed(lambda: self._repeated(seen, _limit(raised, vital, usual), trials=False, alarm=True))
            self._save_batch(vital.step, seen[came.micro_batch], came)
        else:
            why = "no backward pass was seen" if not seen else "--max-diagnoses was reached"
            came = Repeated(Replay.IMPOSSIBLE, why, 0)
        self._session.say(
            "raised",
            raised=raised,
            optimizer_step=vital.optimizer_step,
            micro_batch=came.micro_batch,
            source=_shown(line_of(seen[came.micro_batch].backward.place)) if seen else None,
            optimizer_source=shown_line(made_at),
            chance=came.chance,
            replay=came.replay,
            reason=came.why,
            samples=came.samples,
            apart=came.apart,
            novel=came.novel,
            without=came.without,
            report=came.report and report_to_dict(came.report, exact=True),
        )
        return came

    def known(self, raised: Raised, own_step: int, line: SourceLine | None, made_at: tuple[str, int] | None) -> None:
        """Tell a fault that the calls show: no step has to be repeated for it."""
        self._session.say(
            "raised",
            raised=raised,
            optimizer_step=own_step,
            source=_shown(line),
            optimizer_source=shown_line(made_at),
        )

    def depends(self, backward: Backward, parameter: Tensor) -> bool:
        """Whether the loss of a backward pass, taken again, is another one with other values of a parameter."""
        moved = parameter.detach() * 1.5 + 0.5
        return self._again(backward, lambda step: _loss(step) != _with_values(parameter, moved, lambda: _loss(step)))

    def ignores(self, backward: Backward, targets: Sequence[Data]) -> bool:
        """Whether the loss of a backward pass, taken again, is the same to the last bit with other targets."""
        return self._again(backward, lambda step: not self._answers(step, backward, targets))

    def heeds(self, backward: Backward, targets: Sequence[Data]) -> bool:
        """Whether it is another one with other targets."""
        return self._again(backward, lambda step: self._answers(step, backward, targets))

    def _answers(self, step: Step, backward: Backward, targets: Sequence[Data]) -> bool:
        """Whether the loss of a step is another one with other targets, of the same size or far larger."""
        was = _loss(step)
        return any(was != self._with_others(backward, targets, other) for other in (reflected, louder))

    def _with_others(self, backward: Backward, targets: Sequence[Data], other: Callable[[Tensor], Tensor]) -> float:
        own = [each.tensor for each in targets]
        try:
            for each in targets:
                each.tensor = other(each.tensor)
            return _loss(step_of(backward, self._tape.naming, str(Path.cwd())))
        finally:
            for each, tensor in zip(targets, own, strict=True):
                each.tensor = tensor

    def needs_nothing(self, backward: Backward, parameter: Tensor) -> bool:
        """Whether the loss of a backward pass, taken again, is above 0, and exactly 0 where this parameter is 0."""
        nothing = torch.zeros_like(parameter.detach())

        def needs(step: Step) -> bool:
            return _loss(step) > 0.0 == _with_values(parameter, nothing, lambda: _loss(step))

        return self._again(backward, needs)

    def leads_through(self, backward: Backward, parameter: Tensor) -> bool:
        """Whether no parameter gets a gradient, in a backward pass taken again, where this one is 0."""
        nothing = torch.zeros_like(parameter.detach())
        return self._again(backward, lambda step: _with_values(parameter, nothing, lambda: measured(step)[1]) == 0.0)

    def _again(self, backward: Backward, asked: Callable[[Step], bool]) -> bool:
        """An answer about a step that is taken again; False where it cannot be, or not with such values."""

        def answer() -> bool:
            with self._tape.quiet():
                try:
                    return asked(step_of(backward, self._tape.naming, str(Path.cwd())))
                except Exception:  # the user's code, with values that it never had
                    return False

        return not backward.why and not running_beside() and self.timed(answer)

    def blames_a_value(self, seen: Seen) -> bool:
        """Whether a step that raised did so for a value that is not finite."""
        came = self.timed(lambda: self._repeated([seen], None, trials=False))
        return came.report is not None and any(f.family is Family.NONFINITE for f in came.report.findings)

    def asked(self, why: Why, vital: Vital, seen: Sequence[Seen]) -> Repeated | None:
        """Explain a step that was asked for; what came of it, None where there was no backward pass."""
        if not seen:
            self._session.say("note", text=f"step {vital.step} was not diagnosed: no backward pass was seen")
            return None
        if why is Why.FIRST and (beside := running_beside()):  # nobody waits for it
            self._session.say("note", text=f"step {vital.step} was not diagnosed: {beside}")
            return None
        trials = why is not Why.FIRST and self._options.try_budget > 0
        came = self.timed(lambda: self._repeated(seen, None, trials=trials))
        if came.replay is Replay.EXACT and came.why:
            part = f"backward pass {came.micro_batch + 1} of its update alone was repeated: {came.why}"
            self._session.say("note", text=f"step {vital.step}: {part}")
        self._session.say(
            "diagnosed",
            step=vital.step,
            why=why,
            replay=came.replay,
            reason=came.why,
            report=came.report and report_to_dict(came.report, exact=True),
        )
        return came

    def timed(self, work: Callable[[], _T]) -> _T:
        """What `work` gives: unheard by the script, and its time counted."""
        started = perf_counter()
        try:
            with unheard(), without_modes():
                return work()
        finally:
            self.seconds += perf_counter() - started

    def _repeated(self, seen: Sequence[Seen], is_bad: _IsBad | None, *, trials: bool, alarm: bool = False) -> Repeated:
        place = next((i for i, each in enumerate(seen) if not each.finite), len(seen) - 1)
        verified = verify(self._tape, self._accumulation, seen[-1].norms)
        why = verified.why or seen[place].backward.why
        if verified.outcome is not Replay.EXACT or why:
            outcome = Replay.IMPOSSIBLE if verified.outcome is Replay.EXACT else verified.outcome
            return Repeated(outcome, why, place)
        with self._tape.quiet():
            step = self._step(seen[place])
            try:
                report = self._explain(step, trials=trials)
            except GradcheckError as error:
                return Repeated(Replay.IMPOSSIBLE, str(error), place)
            samples = None
            if is_bad is not None:
                samples = guilty_rows(step, is_bad, seen[place].backward.raised, named_rows(report))
            known = apart(step.batch, samples, rows_in(tuple(step.batch.values())) or 0) if samples else None
            chance = self._chance(step) if alarm and seen[place].finite else None
            novel = self._batches.novel(seen[place].backward, step.batch, samples) if is_bad is not None else None
            without = left_by(step, samples) if samples else None
        part = TOO_LARGE if self._accumulation.let_go else ""
        lm = chance.mean if chance is not None else None
        return Repeated(Replay.EXACT, part, place, report, samples, known, novel, without, lm)

    def _step(self, seen: Seen) -> Step:
        return step_of(seen.backward, self._tape.naming, str(Path.cwd()))

    def _save_batch(self, number: int, seen: Seen, came: Repeated) -> None:
        folder = self._options.save_batch
        if folder is None or came.replay is Replay.IMPOSSIBLE:
            return
        tensors = {name: x.detach().cpu() for name, x in self._step(seen).batch.items()}
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = Path(folder, f"step-{number}.pt")
        torch.save({"batch": tensors, "samples": list(came.samples or ())}, path)
        self._session.say("note", text=f"{path} holds the batch of step {number}; torch.load(..., weights_only=True)")


_IsBad = Callable[[float, float], bool]
"""Whether a loss and a gradient norm are as bad as those of the alarm."""


_SPIKED = math.exp(ALARMING.spike * ALARMING.norm_sigma)
"""Factor by which a gradient norm stands out; one that is raised late may not, as all batches are like it by then."""


def _limit(raised: Raised, vital: Vital, usual: float | None) -> _IsBad | None:
    """What makes a part of the batch as bad as the whole; None where the alarm is not about one batch."""
    if raised.kind in (AlarmKind.NONFINITE, AlarmKind.OVERFLOW):
        return lambda loss, norm: not (math.isfinite(loss) and math.isfinite(norm))
    if usual is None:
        return None
    if raised.kind is AlarmKind.GRAD_SPIKE and vital.grad_norm and vital.grad_norm > usual * _SPIKED:
        halfway = math.sqrt(max(usual, 0.0) * vital.grad_norm)  # on a scale of decades, as the alarm is
        return lambda loss, norm: not norm < halfway
    if raised.kind is AlarmKind.LOSS_SPIKE and vital.loss is not None:
        before = raised.evidence.get("loss_before", usual)  # one that is raised late has made its own level usual
        middle = (min(usual, float(before)) + vital.loss) / 2
        return lambda loss, norm: not loss < middle
    return None


def named_rows(report: Report | None) -> tuple[int, ...]:
    """The rows at which an op went wrong, as the first finding that knows them all tells."""
    told = (str(finding.evidence.get("samples", "")) for finding in report.findings) if report is not None else ()
    return tuple(map(int, next(filter(None, told), "").split()))


def guilty_rows(
    step: Step, is_bad: _IsBad, raised: BaseException | None = None, named: Sequence[int] = ()
) -> tuple[int, ...] | None:
    """The rows of a step's batch without which it is well; None where it is no matter of a few rows.

    Args:
        step: The step.
        is_bad: Whether a loss and a gradient norm are bad.
        raised: What the step raises as a whole, which is then what makes a part of it bad.
        named: Rows that an op went wrong at. They are it where a part of the batch is no less bad, as where a row has
            no partner, and the batch without them is well.
    """
    rows = rows_in(tuple(step.batch.values()))
    if rows is None:
        return None
    pairs = _is_of_pairs(step, rows)

    def bad(kept: Sequence[int]) -> bool:
        try:
            return is_bad(*measured(_with_rows(step, rows, kept, pairs)))
        except Exception as error:
            if type(error) is type(raised):
                return True
            raise

    try:
        found = bad_rows(rows, bad)
        if found is None and named and not bad([row for row in range(rows) if row not in named]):
            return tuple(named)
    except Exception:  # the user's code, on a batch of another size
        return None
    return found


def left_by(step: Step, guilty: Sequence[int]) -> Without | None:
    """What a step is with these rows of its batch, and without them; None where it is not to be had."""
    rows = rows_in(tuple(step.batch.values())) or 0
    try:
        loss, norm = measured(step)
        left = measured(_with_rows(step, rows, [r for r in range(rows) if r not in guilty], _is_of_pairs(step, rows)))
    except Exception:  # the user's code, on a batch of another size, or on the one that it raises for
        return None
    return Without(loss=loss, norm=norm, loss_left=left[0], norm_left=left[1])


def _with_rows(step: Step, rows: int, kept: Sequence[int], pairs: bool) -> Step:
    """The step with these of its rows."""
    left = without(tuple(step.batch.values()), rows, kept, pairs=pairs)
    return replace(step, batch=dict(zip(step.batch, left, strict=True)))


def _is_of_pairs(step: Step, rows: int) -> bool:
    """Whether a square tensor of its batch is one of all pairs of rows: where it is cut as rows, the code raises."""
    if not holds_pairs(tuple(step.batch.values()), rows):
        return False
    try:
        measured(_with_rows(step, rows, range(rows - 1), pairs=False))
    except Exception:  # the user's code, on a batch of another size
        return True
    return False


def measured(step: Step) -> tuple[float, float]:
    """The loss of a step and the norm of its gradient."""
    model = step.target.model
    with preserved(model, step.batch, getattr(step.target.forward, "loss", None)):
        parameters = [p for p in model.parameters() if p.requires_grad]
        loss = forward_pass(step).loss
        found = torch.autograd.grad(loss, parameters, allow_unused=True) if loss.requires_grad else ()
        norms = [float(torch.linalg.vector_norm(g.float())) for g in found if g is not None]
        return float(loss.detach()), math.hypot(*norms)


def _loss(step: Step) -> float:
    with preserved(step.target.model, step.batch), torch.no_grad():
        return float(loss_alone(step))


def reflected(target: Tensor) -> Tensor:
    """Other targets in the same range; classes below 0 are left out of a loss, and stay so."""
    kept = target if target.is_floating_point() else target[target >= 0]
    if not kept.numel() or target.dtype is torch.bool:
        return target
    other = kept.min() + kept.max() - target
    return other if target.is_floating_point() else torch.where(target < 0, target, other)


def louder(target: Tensor) -> Tensor:
    """Targets that outputs which are too large for them do not round off: heard where the loss hears targets at all."""
    return target / torch.finfo(target.dtype).eps if target.is_floating_point() else reflected(target)


def _with_values(parameter: Tensor, values: Tensor, asked: Callable[[], float]) -> float:
    """An answer while a parameter has other values; it gets its own back, and its version does not move."""
    own = parameter.data
    parameter.data = values
    try:
        return asked()
    finally:
        parameter.data = own


def shown_line(at: tuple[str, int] | None) -> SourceLine | None:
    """A file and line of the user's with its code, as `_shown` tells it."""
    return None if at is None else _shown(SourceLine(file=at[0], line=at[1]))


def _shown(line: SourceLine | None) -> SourceLine | None:
    """A line of the user's with its code, its file relative to the working folder where it lies below it."""
    if line is None:
        return None
    path, here = Path(line.file).resolve(), Path.cwd()
    shown = str(path.relative_to(here)) if path.is_relative_to(here) else line.file
    return replace(line, file=shown, code=linecache.getline(line.file, line.line).strip())
