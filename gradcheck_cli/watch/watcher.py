"""The watcher of one process of a script: what happens between its first forward pass and its end.

Tape and updates tell what the script does; here it is read (`vitals`), judged (`alarms`), explained (`diagnosing`) and
told (`session`). Whatever goes wrong in any of that is noted, and the watcher steps aside: the script goes on.
"""

from __future__ import annotations

import atexit
import math
import os
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from time import perf_counter  # as it is now: a script may put its own clock in its place
from typing import Any

from torch import Tensor

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Outcome, Raised, Vital, Why
from gradcheck_cli.watch import taps
from gradcheck_cli.watch.accumulation import Accumulation
from gradcheck_cli.watch.alarms import Alarms
from gradcheck_cli.watch.attempts import Attempt, Updates
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.cudagraphs import Capturing
from gradcheck_cli.watch.diagnosing import Chance, Diagnosing, Explain, Seen
from gradcheck_cli.watch.ending import listen
from gradcheck_cli.watch.isolation import has_modes, without_modes
from gradcheck_cli.watch.layergradients import Layers
from gradcheck_cli.watch.loop.batchhistory import BatchHistory
from gradcheck_cli.watch.loop.factgathering import FactGatherer
from gradcheck_cli.watch.loop.facts import Facts, LoopFault
from gradcheck_cli.watch.loop.loopfaults import LoopFaults
from gradcheck_cli.watch.manualupdates import ByHand, HandUpdate
from gradcheck_cli.watch.phases import Phases
from gradcheck_cli.watch.requested import RequestedSteps
from gradcheck_cli.watch.retrying import Retrying
from gradcheck_cli.watch.sampling import Sampling
from gradcheck_cli.watch.session import Session
from gradcheck_cli.watch.shadow import ShadowTraining
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.tracebacks import deeper
from gradcheck_cli.watch.uses import Uses
from gradcheck_cli.watch.vitals import Norms, gradient_norms, number
from gradcheck_cli.watch.warninglines import retelling

_COST_EVERY, _COST_AFTER = 50, 5.0
"""Steps, and seconds, between two words on what watching costs."""
_JUDGE_EVERY = 10
"""Steps after which alarms that were raised are judged again, where one that stands ends the script."""
_PATIENCE = 2
"""Times that the script is asked to end before it is ended."""


@dataclass(slots=True)
class _Group:
    """The backward passes since the update before: what one update is made of."""

    seen: list[Seen] = field(default_factory=list)
    judged: bool = False
    closed: bool = False

    def keep(self, backwards: Sequence[Backward]) -> None:
        """Of the passes before, these alone are kept whole."""
        self.seen = [each if each.backward in backwards or each.backward.why else each.emptied() for each in self.seen]

    def close(self) -> None:
        """An update was made of it: the next backward pass begins another, and nothing of this one is held."""
        self.closed = True
        self.seen = [each.let_go() for each in self.seen]


class _Guard:
    """Inside, nothing that goes wrong reaches the script; written out because every step enters it many times."""

    __slots__ = ("_entered", "_watcher")

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._entered: list[tuple[float, AbstractContextManager[None] | None]] = []

    def __enter__(self) -> None:
        started, modes = perf_counter(), None
        if has_modes():
            modes = without_modes()
            try:
                modes.__enter__()
            except Exception as error:
                modes = None
                self._watcher._step_aside(error)
        self._entered.append((started, modes))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        started, modes = self._entered.pop()
        if modes is not None:
            try:
                modes.__exit__(None, None, None)
            except Exception as another:
                error = error or another
        if error is not None:
            self._watcher._step_aside(error)
        if not self._entered:
            self._watcher._busy += perf_counter() - started
        return error is not None and not isinstance(error, KeyboardInterrupt)


class Watcher:
    """Watches this process. One is made, as soon as torch has been imported.

    Args:
        options: What was asked for.
        session: Where all that is seen goes.
        explain: Explains a step that is repeated.
        chance: Measures what the loss of one is at chance.
    """

    def __init__(self, options: RunOptions, session: Session, explain: Explain, chance: Chance) -> None:
        self._options, self._session = options, session
        self._guard = _Guard(self)
        self._tape = Tape(self)
        self._updates = Updates(self, self._is_ours)
        self._alarms, self._phases, self._asked = Alarms(), Phases(), RequestedSteps(options)
        self._layers = Layers(self._tape.naming)
        self._accumulation = Accumulation()
        self._loop = LoopFaults()
        self._uses = Uses()
        batches = BatchHistory()
        self._diagnosing = Diagnosing(options, session, explain, chance, self._tape, self._accumulation, batches)
        self._retrying = Retrying(options, session, self._tape, self._diagnosing)
        self._shadow = ShadowTraining(options, session, self._tape, self._diagnosing)
        self._sampling = Sampling(options, self._tape, chance, batches)
        self._looking = FactGatherer(
            self._tape,
            self._updates,
            self._accumulation,
            self._tape.may_be_ours,
            self._guard,
            self._diagnosing,
            batches,
        )
        self._capturing = Capturing(self._tape, lambda text: self._session.say("note", text=text))
        self._group = _Group()
        self._running: Backward | None = None
        self._by_hand = ByHand()
        self._consumed = self._raised = self._aside = self._explained = False
        self._remove: Callable[[], None] = lambda: None
        self._undo: list[Callable[[], None]] = []
        self._steps, self._stops = 0, 0
        self._stop: str | None = None
        self._usual: dict[tuple[int, str], float] = {}
        self._busy, self._began, self._process = 0.0, 0.0, os.getpid()
        self._told_at: float | None = None

    def install(self) -> None:
        """Begin to watch."""
        self._remove = taps.install(self._tape)
        self._updates.install()
        self._looking.calls.install()
        self._capturing.install()
        atexit.register(self._ending)
        self._undo = [
            listen(self._stopping, self._session.flush),
            retelling(),
            deeper(),
            *self._looking.drawn.install(),
        ]

    def remove(self) -> None:
        """Leave torch as it was."""
        self._capturing.remove()
        self._looking.calls.remove()
        self._remove()
        self._updates.remove()
        while self._undo:
            self._undo.pop()()
        self._session.flush()

    # -- what the tape tells

    def forward(self) -> None:
        """An outermost forward pass is about to begin."""
        if self._stop is not None:
            self._end_the_script()
        if self._group.closed:
            self._group = _Group()
        self._looking.forward()

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run."""
        if self._stop is not None:
            self._end_the_script()
        with self._guard:
            self._running = backward
            if not self._updates.seen and self._by_hand.moved(backward.parameters):
                self._moved()
            if self._group.closed:
                self._group = _Group()
            self._accumulation.began(backward)
            if self._accumulation.let_go:
                self._group.keep(self._accumulation.backwards)
            self._looking.began(backward)

    def ended(self, backward: Backward, raised: BaseException | None) -> None:
        """It has run, or raised."""
        self._running = None
        with self._guard:
            self._accumulation.ended(backward, raised)
            self._looking.ended(backward)
            if raised is None:
                self._read(backward)

    def failed(self, error: BaseException) -> None:
        """The tape met something that it cannot take down, and is off."""
        self._step_aside(error)

    # -- what the updates tell

    def _is_ours(self) -> bool:
        """Whether an update is made by the thread that is watched, or inside its backward pass by one of autograd's."""
        if self._tape.is_ours():
            return True
        return self._running is not None and threading.get_ident() not in threading._active  # type: ignore[attr-defined]

    def updating(self, attempt: Attempt) -> None:
        """An update is about to be made."""
        with self._guard:
            if self._running is None and not attempt.closure:  # else judged when the backward pass has ended
                self._judge(attempt)
                self._sampling.before(self._steps, attempt, self._group.seen, self._elapsed())
                self._look(attempt)
            self._tape.close()

    def updated(self, attempt: Attempt) -> None:
        """It has been made."""
        with self._guard:
            if self._running is not None:
                self._accumulation.updated()
                self._consumed = True
                return
            if attempt.closure:
                if not self._group.judged:
                    self._judge(attempt)
                self._look(attempt)
            self._keep(self._sampling.after())
            if self._looking.updated(attempt):
                self._loop.resume()
            self._accumulation.updated()
            self._group.close()
            self._tape.reopen()

    # -- one step

    def _moved(self) -> None:
        """Parameters have moved, and no optimiser was seen to step: by hand, or by a step that is compiled whole."""
        writes = self._accumulation.writes()
        self._accumulation.updated()
        if self._group.seen:
            if not self._group.judged:
                self._judge(None)
            sample = self._sampling.after()
            self._keep(sample if len(self._group.seen) == 1 else None)  # else the update has more to go down
            self._hear(self._looking.by_hand(self._group.seen, self._steps, writes), None)
        self._group.close()
        self._by_hand.found = True

    def _read(self, backward: Backward) -> None:
        value, scale = self._loss_of(backward)
        loss = None if value is None else number(value)
        held = self._held()
        with self._tape.alone:
            norms = gradient_norms(self._reached(backward) if self._tape.shared else held or backward.parameters)
        seen = Seen(backward, loss, norms, scale)
        self._group.seen.append(seen)
        if not seen.finite and self._accumulation.guilty is None:
            self._accumulation.guilty = backward
        attempt = self._updates.inside
        if self._group.judged:
            if attempt is not None and not seen.finite and all(each.finite for each in self._group.seen[:-1]):
                self._judge(attempt, again=True)
            return
        unseen = not held or (self._by_hand.found and not self._updates.seen)
        if attempt is not None or self._consumed or unseen:  # there is no later moment before the update
            self._judge(attempt)
            if unseen and attempt is None:
                update = HandUpdate(self._steps, backward.parameters)
                self._sampling.before(self._steps, update, self._group.seen, self._elapsed())
            if self._consumed:
                self._group.close()
            self._consumed = False

    def _loss_of(self, backward: Backward) -> tuple[Tensor | None, float]:
        """The loss without a loss scale, and the scale; None where the pass did not start from one tensor."""
        if len(backward.values) != 1:
            return None, 1.0
        loss = backward.roots[0]() if backward.roots else None
        scaled = None if loss is None else self._updates.scale_of(loss)
        return (backward.values[0], 1.0) if scaled is None else (scaled[0], float(scaled[1].get_scale()))

    def _reached(self, backward: Backward) -> list[Tensor]:
        """What a backward pass and those before it, of the same update, have reached, each once."""
        passes = [*(each.backward for each in self._group.seen), backward]
        return list({id(p): p for each in passes for p in each.parameters}.values())

    def _held(self) -> list[Tensor]:
        """What the optimisers hold, each once."""
        if self._updates.count == 0:
            return []
        lists = [group["params"] for optimizer in self._updates.optimizers() for group in optimizer.param_groups]
        return lists[0] if len(lists) == 1 else list({id(p): p for each in lists for p in each}.values())

    def _judge(self, attempt: Attempt | None, *, again: bool = False) -> None:
        """Read a step, hear what the alarms say of it, and explain it where it is asked for.

        With `again`, it was read before: a later call of its closure has not come out finite.
        """
        self._steps += not again
        self._group.judged = True
        self._began = self._began or perf_counter()
        vital = self._vital(attempt)
        self._session.vital(vital)
        raised = self._alarms.see(vital)
        why = None if again else self._asked.why(vital)
        made_at = attempt.made_at if attempt else None
        for alarm in raised:
            came = self._diagnosing.alarm(alarm, vital, self._group.seen, self._before(alarm, vital), made_at)
            self._retrying.alarm(alarm, vital, self._group.seen, came, attempt)
        if why is not None:
            asked = self._diagnosing.asked(why, vital, self._group.seen)
            if why is not Why.FIRST and not raised:
                self._retrying.asked(vital, self._group.seen, asked, attempt)
        self._retrying.seen(vital, attempt, len(self._group.seen))
        self._shadow.seen(vital, attempt, self._group.seen)
        self._remember(vital)
        if self._asked.is_over(vital):
            self._stop = "steps"
        elif self._options.stop_on_alarm and self._is_confirmed(raised):
            self._stop = "alarm"
        if self._group.seen and (found := self._layers.due(self._steps, self._group.seen[-1])):
            self._session.layers(self._steps, found)
        if self._steps % _COST_EVERY == 0 and (self._told_at is None or self._elapsed() - self._told_at >= _COST_AFTER):
            self._tell_cost()
            self._tell_of_threads()

    def _look(self, attempt: Attempt) -> None:
        """Hear what the calls show of an update, and tell it."""
        brief = self._looking.brief(attempt, self._group.seen)
        self._uses.see(brief, attempt, self._group.seen)
        passed = not self._looking.is_close(attempt) and self._loop.pass_over(
            attempt.number, brief.rate, skipped=brief.skipped
        )
        if passed:
            return
        facts = self._looking.facts(attempt, self._group.seen, self._steps)
        self._hear(facts, attempt.made_at)

    def _hear(self, facts: Facts, made_at: tuple[str, int] | None) -> None:
        for fault in self._loop.see(facts):
            raised = _raised(fault, self._steps, facts.optimizer)
            self._alarms.know(raised)
            self._diagnosing.known(raised, facts.own_step, fault.line, made_at)
            if self._options.stop_on_alarm:
                self._stop = "alarm"

    def _keep(self, sample: Sample | None) -> None:
        if sample is not None:
            self._session.sample(sample)
            self._alarms.sampled(sample)
            self._retrying.sampled(sample)

    def _is_confirmed(self, raised: Sequence[Raised]) -> bool:
        """Whether an alarm stands; those that only time can judge are judged again now and then."""
        self._raised = self._raised or bool(raised)
        due = raised or (self._raised and self._steps % _JUDGE_EVERY == 0)
        return bool(due) and any(each.outcome is Outcome.CONFIRMED for each in self._alarms.judged())

    def _vital(self, attempt: Attempt | None) -> Vital:
        seen = self._group.seen
        losses = [each.loss for each in seen if each.loss is not None]
        norm = self._norm(attempt)
        finite = all(map(math.isfinite, losses)) and (norm is None or math.isfinite(norm))
        scaler = attempt.scaler if attempt else None
        number = attempt.number if attempt else 0
        kind = (seen[-1].backward.place, len(seen[-1].norms.values)) if seen else None
        return Vital(
            step=self._steps,
            optimizer=number,
            optimizer_step=attempt.own_step if attempt else self._steps,
            loss=sum(losses) / len(losses) if losses else None,
            grad_norm=norm,
            finite=finite,
            scale=float(scaler.get_scale()) if scaler is not None else None,
            skipped=scaler is not None and not finite,
            phase=self._phases.of(number, kind, attempt.rates() if attempt else ()),
        )

    def _norm(self, attempt: Attempt | None) -> float | None:
        """Norm of the gradients that an update uses, without a loss scale."""
        if not self._group.seen:
            return None
        last = self._group.seen[-1]
        part = attempt is not None and self._updates.count > 1
        norm = last.norms.over(attempt.parameters()) if part and attempt else last.norms.whole()
        return None if norm is None else norm / (last.scale or 1.0)

    def _before(self, alarm: Raised, vital: Vital) -> float | None:
        """What the number of an alarm was at the steps before it: a mean with a memory of some ten steps."""
        return self._usual.get((vital.optimizer, "grad" if alarm.kind is AlarmKind.GRAD_SPIKE else "loss"))

    def _remember(self, vital: Vital) -> None:
        for name, value in (("grad", vital.grad_norm), ("loss", vital.loss)):
            if value is not None and math.isfinite(value):
                was = self._usual.get((vital.optimizer, name), value)
                self._usual[vital.optimizer, name] = was + 0.1 * (value - was)

    # -- the end, and what goes wrong

    def _end_the_script(self) -> None:
        """Raise SystemExit in the script, so that its `finally` blocks run; one that goes on all the same is ended."""
        self._stops += 1
        if self._stops == 1:
            self._session.say("stopped", step=self._steps, why=self._stop)
        if self._stops > _PATIENCE:
            self._ending()
            os._exit(0)
        raise SystemExit(0)

    def _stopping(self, raised: BaseException | None) -> None:
        """The script ends by an exception, or by `sys.exit`: what it had computed by then may say why.

        Scripts look at their loss and stop where it is not finite, before any backward pass.
        """
        if os.getpid() != self._process or self._aside:
            return
        with self._guard:
            self._explain_the_end(raised)

    def _explain_the_end(self, raised: BaseException | None, *, failed: bool = True) -> None:
        """Explain what is not finite by now; whether the script `failed` may not be known here."""
        backward = self._tape.unfinished(raised)
        if backward is None:
            return
        seen = Seen(backward, math.nan, Norms((), ()), 1.0)
        self._accumulation.alone(backward)
        if backward.raised is None or self._diagnosing.blames_a_value(seen):
            self._explained = True
            self._group = _Group([seen])
            if not failed:
                self._session.say("left", after=self._steps)
            self._judge(None)

    def _ending(self) -> None:
        """The process ends: perhaps by a SystemExit that the script raised, which nothing else tells of."""
        if os.getpid() != self._process:
            return
        if not self._aside:
            with self._guard:
                self._tell_idle()
        if not self._steps:
            return
        self._tell_of_threads()
        if not (self._aside or self._explained or self._stop):
            started = perf_counter()
            with suppress(Exception), without_modes():  # there may be little left to work with
                self._explain_the_end(None, failed=False)
            self._busy += perf_counter() - started
        if not self._aside:
            with self._guard:
                self._shadow.end(next((use.clip_limit for use in self._uses.told()), None))
        self._tell_cost()

    def _tell_of_threads(self) -> None:
        if self._tape.shared:
            self._session.say("note", text="another thread makes backward passes; it is not watched")

    def _tell_idle(self) -> None:
        """Tell of optimisers that never stepped; what there was of backward passes is then the run's only step."""
        for fault in self._looking.idle.found():
            if not self._steps:
                self._judge(None)
            raised = _raised(fault, self._steps, 0)
            self._alarms.know(raised)
            self._diagnosing.known(raised, self._steps, fault.line, None)

    def _elapsed(self) -> float:
        return perf_counter() - self._began

    def _tell_cost(self) -> None:
        total = self._told_at = self._elapsed()
        self._session.say(
            "cost",
            steps=self._steps,
            watching=self._busy - self._diagnosing.seconds,
            total=total,
            diagnoses=self._diagnosing.seconds,
        )
        self._session.say("uses", optimizers=self._uses.told(), evaluations=self._tape.evaluations)

    def _step_aside(self, error: BaseException) -> None:
        self._aside = True
        self.remove()
        trace = traceback.format_exc() if os.environ.get("GRADCHECK_DEBUG") else ""
        self._session.say("aside", text=f"{type(error).__name__}: {error}"[:500], trace=trace)


def _raised(fault: LoopFault, step: int, optimizer: int) -> Raised:
    evidence = {"code": fault.code, "since": fault.since, **fault.evidence}
    return Raised(kind=AlarmKind.LOOP, step=step, optimizer=optimizer, message=fault.message, evidence=evidence)
