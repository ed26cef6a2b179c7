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
from contextlib import suppress
from time import perf_counter  # as it is now: a script may put its own clock in its place

from torch import Tensor

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Sample, Withdrawn
from gradcheck_cli.records.timeline import AlarmKind, Outcome, Raised, Vital, Why
from gradcheck_cli.runtime.tensors import is_finite
from gradcheck_cli.watch import taps
from gradcheck_cli.watch.accumulation import Accumulation
from gradcheck_cli.watch.alarms import Alarms
from gradcheck_cli.watch.attempts import Attempt, Updates
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.costlog import CostLog
from gradcheck_cli.watch.cudagraphs import Capturing
from gradcheck_cli.watch.diagnosing import Chance, Diagnosing, Explain, Seen
from gradcheck_cli.watch.draft import Draft
from gradcheck_cli.watch.ending import listen
from gradcheck_cli.watch.errorshield import ErrorShield
from gradcheck_cli.watch.isolation import without_modes
from gradcheck_cli.watch.layergradients import Layers
from gradcheck_cli.watch.lightsteps import ASLEEP, LightSteps
from gradcheck_cli.watch.loop.batchhistory import BatchHistory
from gradcheck_cli.watch.loop.factgathering import FactGatherer
from gradcheck_cli.watch.loop.facts import Facts, LoopFault
from gradcheck_cli.watch.loop.loopfaults import LoopFaults
from gradcheck_cli.watch.loop.signs import IGNORES_TARGETS
from gradcheck_cli.watch.manualupdates import ByHand, HandUpdate
from gradcheck_cli.watch.phases import Phases
from gradcheck_cli.watch.readbudget import ReadBudget
from gradcheck_cli.watch.requested import RequestedSteps
from gradcheck_cli.watch.retrying import Retrying
from gradcheck_cli.watch.sampling import Sampling
from gradcheck_cli.watch.session import Session
from gradcheck_cli.watch.shadow import ShadowTraining
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.tracebacks import deeper
from gradcheck_cli.watch.updategroup import UpdateGroup
from gradcheck_cli.watch.uses import Uses
from gradcheck_cli.watch.usuallevels import UsualLevels
from gradcheck_cli.watch.vitals import Norms, readings
from gradcheck_cli.watch.warninglines import retelling

_JUDGE_EVERY = 10
"""Steps after which alarms that were raised are judged again, where one that stands ends the script."""
_PATIENCE = 2
"""Times that the script is asked to end before it is ended."""


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
        self._guard = ErrorShield(self._step_aside)
        self._tape = Tape(self)
        self._updates = Updates(self, self._is_ours)
        self._asked = RequestedSteps(options)
        self._accumulation = Accumulation()
        batches = BatchHistory()
        self._diagnosing = Diagnosing(options, session, explain, chance, self._tape, self._accumulation, batches)
        self._looking = FactGatherer(
            self._tape,
            self._updates,
            self._accumulation,
            self._tape.may_be_ours,
            self._guard,
            self._diagnosing,
            batches,
        )
        self._sampling = Sampling(options, self._tape, chance, batches, self._looking.taken_back)
        self._capturing = Capturing(self._tape, lambda text: self._session.say("note", text=text))
        self._group = UpdateGroup()
        self._running: Backward | None = None
        self._by_hand = ByHand()
        self._consumed = self._raised = self._aside = self._explained = False
        self._remove: Callable[[], None] = lambda: None
        self._undo: list[Callable[[], None]] = []
        self._stops = 0
        self._stop: str | None = None
        self._begin()

    def _begin(self) -> None:
        """No step was seen in this process yet: a forked child that trains has a report of its own, from step 1 on."""
        self._process, self._steps = os.getpid(), 0
        self._alarms, self._phases, self._levels = Alarms(), Phases(), UsualLevels()
        self._loop, self._uses, self._layers = LoopFaults(), Uses(), Layers(self._tape.naming)
        self._retrying = Retrying(self._options, self._session, self._tape, self._diagnosing)
        self._shadow = ShadowTraining(self._options, self._session, self._tape, self._diagnosing)
        self._guard.seconds = self._tape.seconds = self._diagnosing.seconds = 0.0
        self._budget = ReadBudget(self._options.budget)
        self._cost = CostLog(self._session, self._budget, (self._guard, self._tape), self._diagnosing)
        self._light = LightSteps(self, self._options, self._tape, self._updates, self._budget)
        self._expect(light=False)

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
        if self._light.on:
            return
        if self._group.closed:
            self._group = UpdateGroup()
        self._looking.forward()

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run."""
        if self._stop is not None:
            self._end_the_script()
        with self._guard:
            if os.getpid() != self._process:
                self._begin()
            self._running = backward
            if self._light.on and self._updates.made != self._light.known:
                self._expect(light=False)  # a new optimiser's first updates are all looked at
            if not self._updates.seen and self._by_hand.moved(backward.parameters):
                self._moved()
            if self._group.closed:
                self._group = UpdateGroup()
            self._accumulation.began(backward)
            if self._accumulation.let_go:
                self._group.keep(self._accumulation.backwards)
            if not self._light.on:
                self._looking.began(backward)

    def ended(self, backward: Backward, raised: BaseException | None) -> None:
        """It has run, or raised."""
        self._running = None
        with self._guard:
            self._accumulation.ended(backward, raised)
            if not self._light.on:
                self._looking.ended(backward)
            if raised is None:
                self._read(backward)

    def late(self, backward: Backward, draft: Draft) -> None:
        """One that was only noted is on the tape after all."""
        with self._guard:
            if os.getpid() != self._process:
                self._begin()
                self._light.on = True  # this step was not looked at closely
            if self._group.closed:
                self._group = UpdateGroup()
            self._accumulation.late(backward, draft.standing())
            self._take(Seen(backward, draft.loss, draft.norms(), 1.0))

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
        started, enough = perf_counter(), False
        try:
            enough = self._light.is_enough(attempt)
        except Exception as error:
            self._step_aside(error)
        self._guard.seconds += perf_counter() - started
        if enough:
            self._tape.close()
            return
        with self._guard:
            if self._tape.draft is not None:
                self._tape.draft.write_out()
            if self._tape.asleep:  # and another optimiser has come
                self._light.wake()
                self._group, self._tape.asleep = UpdateGroup(), False
            ends_here = self._running is None and not attempt.closure  # else judged when the backward pass has ended
            if ends_here and (self._budget.every == 1 or not self._glance(attempt)):
                self._judge(attempt)
                if self._light.on and self._uses.know(attempt.number):  # too late to look closely
                    self._uses.passed(attempt.number, attempt.rate, 1, len(self._group.seen))
                elif self._light.on:
                    self._uses.see(self._looking.brief(attempt, self._group.seen), attempt, self._group.seen)
                else:
                    self._sampling.before(self._steps, attempt, self._group.seen, self._cost.elapsed)
                    self._look(attempt)
            self._tape.close()

    def updated(self, attempt: Attempt) -> None:
        """It has been made."""
        if self._light.goes_on(attempt):
            return
        started, ends = perf_counter(), False
        try:
            ends = self._light.ends(attempt)
            if ends:
                self._light.begin(attempt, self._steps + 1)
        except Exception as error:
            self._step_aside(error)
        self._guard.seconds += perf_counter() - started
        if ends:
            return
        with self._guard:
            if self._running is not None:
                self._accumulation.updated()
                self._consumed = True
                self._expect(light=False)
                return
            if attempt.closure:
                if not self._group.judged:
                    self._judge(attempt)
                if not self._light.on:
                    self._look(attempt)
            self._tell_the_loop(attempt)
            self._accumulation.updated()
            self._group.close()
            self._light.begin(attempt, self._steps + 1)

    def _tell_the_loop(self, attempt: Attempt) -> None:
        """An update has been made; of one that is read whole, the one before is told as well."""
        light = self._light
        if light.on and light.last is not None and not self._budget.is_due(attempt.own_step + 1):
            light.passed += 1
            return
        self._keep(self._sampling.after())
        if self._looking.updated(attempt, light.passed):
            self._loop.resume()
        light.passed, spoilt = 0, light.on and light.last is None
        self._expect(light=not spoilt and light.may_follow(attempt, is_close=self._looking.inspection.close))

    def _expect(self, *, light: bool) -> None:
        """Whether a glance at the next update is to be enough, so that nobody asks for more; told before it begins."""
        self._looking.calls.deaf = self._updates.brief = light
        self._light.expect(self._group.seen if light else None, self._held)

    def glanced(self, attempt: Attempt, passes: int) -> None:
        """An update is about to be made that was finite and as usual."""
        self._steps += 1
        self._uses.passed(attempt.number, attempt.rate, 1, passes)
        self._retrying.glanced(self._steps, attempt, passes)
        self._count()

    def slept(self, attempt: Attempt, updates: int, passes: int) -> None:
        """So many were made of which nothing else is known."""
        self._steps += updates
        self._uses.passed(attempt.number, attempt.rate, updates, passes)
        self._retrying.made(updates * passes)
        self._count()

    # -- one step

    def _glance(self, attempt: Attempt) -> bool:
        """Whether a look at its numbers was enough for an update."""
        seen = self._group.seen
        if self._group.judged or not seen or self._looking.inspection.close:
            return False
        if self._asked.wants(self._steps + 1, attempt.number, attempt.own_step):
            return False
        self._group.judged = self._light.glance(attempt, self._group.loss(), self._norm(attempt), len(seen))
        return self._group.judged

    def _count(self) -> None:
        """Now and then, say what watching costs."""
        if self._steps >= self._cost.next and self._cost.is_due(self._steps):
            self._tell_cost()
            self._tell_of_threads()

    def _moved(self) -> None:
        """Parameters have moved, and no optimiser was seen to step: by hand, or by a step that is compiled whole."""
        writes = self._accumulation.writes()
        self._accumulation.updated()
        if self._group.seen:
            if not self._group.judged:
                self._judge(None)
            sample = self._sampling.after()
            self._keep(sample if len(self._group.seen) == 1 else None)  # else the update has more to go down
            self._uses.moved(self._group.seen)
            self._hear(self._looking.by_hand(self._group.seen, self._steps, writes), None)
        self._group.close()
        self._by_hand.found = True

    def _read(self, backward: Backward) -> None:
        value, scale = self._loss_of(backward)
        held = self._held()
        with self._tape.alone:
            loss, norms = readings(value, self._reached(backward) if self._tape.shared else held or backward.parameters)
        seen = Seen(backward, loss, norms, scale)
        self._take(seen)
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
                self._sampling.before(self._steps, update, self._group.seen, self._cost.elapsed)
            if self._consumed:
                self._group.close()
            self._consumed = False

    def _take(self, seen: Seen) -> None:
        self._group.seen.append(seen)
        if not seen.finite and self._accumulation.guilty is None:
            self._accumulation.guilty = seen.backward

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
        lists = [group["params"] for optimizer in self._updates.optimizers() for group in optimizer.param_groups]
        return lists[0] if len(lists) == 1 else list({id(p): p for each in lists for p in each}.values())

    def _judge(self, attempt: Attempt | None, *, again: bool = False) -> None:
        """Read a step, hear what the alarms say of it, and explain it where it is asked for.

        With `again`, it was read before: a later call of its closure has not come out finite.
        """
        self._steps += not again
        self._group.judged = True
        self._cost.begin()
        vital = self._vital(attempt)
        self._session.vital(vital)
        raised, slept = self._alarms.see(vital), self._light.read()
        if raised and slept:
            text = (
                f"step {self._steps}: {slept} of the updates just before it were slept through, to keep to --budget: "
            )
            self._session.say("note", text=f"{text}it may have begun in one of them; `--budget 100` watches them all")
        why = None if again else self._asked.why(vital)
        made_at = attempt.made_at if attempt else None
        for alarm in raised:
            came = self._diagnosing.alarm(alarm, vital, self._group.seen, self._levels.before(alarm), made_at)
            self._retrying.alarm(alarm, vital, self._group.seen, came, attempt)
        if why is not None:
            asked = self._diagnosing.asked(why, vital, self._group.seen)
            if why is not Why.FIRST and not raised:
                self._retrying.asked(vital, self._group.seen, asked, attempt)
        self._retrying.seen(vital, attempt, len(self._group.seen))
        self._levels.take(vital)
        self._shadow.seen(vital, attempt, self._group.seen)
        if self._asked.is_over(vital):
            self._stop = "steps"
        elif self._options.stop_on_alarm and self._is_confirmed(raised):
            self._stop = "alarm"
        if self._group.seen and (found := self._layers.due(self._steps, self._group.seen[-1])):
            self._session.layers(self._steps, found)
        if attempt is not None:
            self._budget.learn(attempt.number, self._alarms.usual(attempt.number), vital.rate)
        self._count()

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
        if facts.heeds_targets:
            gone = Withdrawn(code=IGNORES_TARGETS, optimizer=facts.optimizer, step=self._steps)
            self._alarms.withdraw(gone)
            self._session.say("withdrawn", withdrawn=gone)

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
        loss, norm = self._group.loss(), self._norm(attempt)
        finite = all([each.loss is None or math.isfinite(each.loss) for each in seen])  # noqa: C419 - every step
        finite = finite and (norm is None or math.isfinite(norm))
        scaler = attempt.scaler if attempt else None
        number = attempt.number if attempt else 0
        kind = (seen[-1].backward.place, len(seen[-1].norms.values)) if seen else None
        rates = attempt.rates() if attempt else ()
        return Vital(
            step=self._steps,
            optimizer=number,
            optimizer_step=attempt.own_step if attempt else self._steps,
            loss=loss,
            grad_norm=norm,
            finite=finite,
            scale=float(scaler.get_scale()) if scaler is not None else None,
            skipped=scaler is not None and not finite,
            rate=max(rates, default=None),
            phase=self._phases.of(number, kind, rates),
        )

    def _norm(self, attempt: Attempt | None) -> float | None:
        """Norm of the gradients that an update uses, without a loss scale."""
        if not self._group.seen:
            return None
        last = self._group.seen[-1]
        part = attempt is not None and self._updates.count > 1
        norm = last.norms.over(attempt.parameters()) if part and attempt else last.norms.whole()
        return None if norm is None else norm / (last.scale or 1.0)

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
            self._group = UpdateGroup([seen])
            if not failed:
                self._session.say("left", after=self._steps)
            self._judge(None)

    def _ending(self) -> None:
        """The process ends: perhaps by a SystemExit that the script raised, which nothing else tells of."""
        if os.getpid() != self._process:
            return
        if not self._aside:
            with self._guard:
                self._light.wake()
                self._tell_idle()
                self._tell_ruin()
        if not self._steps:
            return
        self._tell_unread()
        self._tell_of_threads()
        if not (self._aside or self._explained or self._stop):
            started = perf_counter()
            with suppress(Exception), without_modes():  # there may be little left to work with
                self._explain_the_end(None, failed=False)
            self._guard.seconds += perf_counter() - started
        if not self._aside:
            with self._guard:
                self._shadow.end(next((use.clip_limit for use in self._uses.told()), None))
        self._tell_cost()

    def _tell_ruin(self) -> None:
        """The last updates were slept through: that they have left weights that are not finite is told all the same."""
        held = (
            (list(self._held()) or self._light.parameters) if self._light.slept else []
        )  # it may have ended in main()
        if any(is_finite(parameter) is False for parameter in held):
            backward = Backward("stopped", None, None)
            backward.why, backward.entries, backward.parameters = ASLEEP, [], held
            self._accumulation.alone(backward)
            self._group, self._explained = UpdateGroup([Seen(backward, math.nan, Norms((), ()), 1.0)]), True
            self._judge(None, again=True)

    def _tell_unread(self) -> None:
        """The last update is told of, though it was only glanced at: it says how far the run has come."""
        if self._light.last is not None:
            number, own_step, loss, norm = self._light.last
            phase = self._phases.now(number)
            last = Vital(
                step=self._steps, optimizer=number, optimizer_step=own_step, loss=loss, grad_norm=norm, phase=phase
            )
            if not self._alarms.see(last):  # a climb could not be explained any more
                self._session.vital(last)

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

    def _tell_cost(self) -> None:
        self._cost.tell(self._steps)
        self._session.say("uses", optimizers=self._uses.told(), evaluations=self._tape.evaluations)

    def _step_aside(self, error: BaseException) -> None:
        self._aside = True
        self.remove()
        trace = traceback.format_exc() if os.environ.get("GRADCHECK_DEBUG") else ""
        self._session.say("aside", text=f"{type(error).__name__}: {error}"[:500], trace=trace)


def _raised(fault: LoopFault, step: int, optimizer: int) -> Raised:
    evidence = {"code": fault.code, "since": fault.since, **fault.evidence}
    return Raised(kind=AlarmKind.LOOP, step=step, optimizer=optimizer, message=fault.message, evidence=evidence)
