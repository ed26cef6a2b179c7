"""The updates that are not read whole: which these are, and what little is known of them.

Most are glanced at: their calls are noted (`draft`), or taken down as ever, and their numbers are held against those of
late. Where even that is more than the budget, some are slept through.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.watch.accumulation import is_averaged
from gradcheck_cli.watch.attempts import Attempt, Updates
from gradcheck_cli.watch.diagnosing import Seen
from gradcheck_cli.watch.draft import Draft
from gradcheck_cli.watch.readbudget import ReadBudget
from gradcheck_cli.watch.requested import RequestedSteps
from gradcheck_cli.watch.tape import Tape

ASLEEP = "it was slept through, to keep to --budget: a run with `--budget 100` watches it"
"""Why a step that nobody watched cannot be repeated."""


class Glanced(NamedTuple):
    """What is known of the last update, where that was not read whole; of one that was slept through, of one before.

    Attributes:
        optimizer: The number of its optimiser.
        own_step: Its number among that one's.
        loss: Its loss.
        norm: The norm of its gradients.
    """

    optimizer: int
    own_step: int
    loss: float | None
    norm: float | None


class LightListener(Protocol):
    """Who counts the updates."""

    def glanced(self, attempt: Attempt, passes: int) -> None:
        """One is about to be made that was finite and as usual."""

    def slept(self, attempt: Attempt, updates: int, passes: int) -> None:
        """So many were made, up to this one, each of so many backward passes; nothing else is known of them."""


class LightSteps:
    """Says of each update whether a glance will do, or nothing; asked before it begins, when it is made, and after it.

    Args:
        listener: Told of those of which no more is known.
        options: What was asked for.
        tape: Told what to do with the calls of the next step.
        updates: Where optimisers are known.
        budget: What a watcher may take.

    Attributes:
        known: How many optimisers had been made when that was said.
        on: Whether a glance at the next update is to be enough, so that nobody asks for more.
        last: The last update, where that was not read whole.
        slept: Updates that were slept through since the last that was read.
        passed: Updates since the last that the loop was told of, without those that were slept through.
    """

    def __init__(
        self, listener: LightListener, options: RunOptions, tape: Tape, updates: Updates, budget: ReadBudget
    ) -> None:
        self._listener, self._options, self._tape, self._updates = listener, options, tape, updates
        self._budget, self._asked, self._process = budget, RequestedSteps(options), os.getpid()
        self.last: Glanced | None = None
        self.passed = self.slept = 0
        self._napping: tuple[Attempt, int] | None = None  # the last of those slept through, and how many they are
        self._wakes_at = 0
        self.expect(None)

    def expect(self, like: Sequence[Seen] | None, held: Callable[[], Sequence[Tensor]] = tuple) -> None:
        """Whether the next steps are light, `like` the last, whose backward passes are given; None where they are not.

        Args:
            like: What was seen of each pass of the last step.
            held: Looks up the parameters of all optimisers.
        """
        self.on, self.known = like is not None, self._updates.made
        self._wanted = self._has_passed = False
        self._passes = len(like or ())
        self._draft = draft_like(self._tape, like, held) if like is not None else None
        self._tape.draft, self._tape.asleep = None, False

    def may_follow(self, attempt: Attempt, *, is_close: bool) -> bool:
        """Whether the step after an update may be light, as far as is known by now."""
        if is_close or attempt.closure or self._wants_all(attempt) or self._updates.count > 1:
            return False
        return not self._budget.is_due(attempt.own_step + 1) and self._budget.is_calm(attempt.number)

    def _wants_all(self, attempt: Attempt) -> bool:
        return attempt.scaler is not None or self._options.shadow or self._options.every is not None

    def begin(self, attempt: Attempt, step: int) -> None:
        """The step after an update begins, the run's `step`-th: in light ones, it is said here what is kept of it."""
        self._has_passed, tape = False, self._tape
        if self.on:
            ahead = range(1, self._budget.awake)
            wakes = next((n for n in ahead if self._is_wanted(attempt, n, step)), self._budget.awake)
            self._wakes_at = attempt.own_step + wakes
            self._wanted = self._asked.wants(step, attempt.number, attempt.own_step + 1)
            tape.asleep = wakes > 1
            if self._draft is not None:
                self._draft.clear()  # the next step holds nothing of this one
            tape.draft = self._draft if self._draft is not None and self._draft.fits and not tape.asleep else None
        tape.reopen()

    def _is_wanted(self, attempt: Attempt, later: int, step: int) -> bool:
        """Whether the update so many after one is not to be slept through; `step` is the one after."""
        own_step = attempt.own_step + later
        if self._budget.is_awake(own_step) or self._budget.is_due(own_step) or self._options.snapshot is not None:
            return True
        return self._asked.wants(step + later - 1, attempt.number, own_step)

    # -- before an update

    def is_enough(self, attempt: Attempt) -> bool:
        """Whether an update that is about to be made is slept through, or was noted and is as usual."""
        draft, self._has_passed = self._tape.draft, False  # the last one may have raised
        if self._updates.made != self.known:
            return False
        if self._tape.asleep:
            self._napping = attempt, self._napping[1] + 1 if self._napping is not None else 1
            return True
        if draft is None or not draft.is_read or draft.is_settled or attempt.closure or os.getpid() != self._process:
            return False
        draft.is_settled = self._has_passed = self.glance(attempt, draft.loss, draft.norm, 1)
        return self._has_passed

    def glance(self, attempt: Attempt, loss: float | None, norm: float | None, passes: int) -> bool:
        """Whether an update is counted and no more: its numbers can raise nothing, and nobody waits for it."""
        if self._wanted or self._budget.is_due(attempt.own_step) or self._wants_all(attempt):
            return False
        if not self._budget.is_usual(attempt.number, loss, norm, attempt.rate):
            return False
        self._budget.glanced += 1
        self.last, self.slept = Glanced(attempt.number, attempt.own_step, loss, norm), 0
        self._listener.glanced(attempt, passes)
        return True

    @property
    def parameters(self) -> list[Tensor]:
        """What light steps train, though the script may hold it no more; nothing where they are not noted."""
        return self._draft.parameters if self._draft is not None else []

    def read(self) -> int:
        """An update is read whole; how many were slept through just before it."""
        slept, self.slept, self.last = self.slept, 0, None
        return slept

    # -- after an update

    def goes_on(self, attempt: Attempt) -> bool:
        """Whether an update that was made is slept through, and so is the next."""
        return self._tape.asleep and attempt.own_step + 1 < self._wakes_at

    def ends(self, attempt: Attempt) -> bool:
        """Whether no more is to be asked of an update that was made: it was enough, and the next is not read whole."""
        enough = self._has_passed or self._tape.asleep
        self.wake()
        if not enough or self._budget.is_due(attempt.own_step + 1):
            return False
        self.passed += self._has_passed
        return True

    def wake(self) -> None:
        """What was slept through is counted."""
        if self._napping is None:
            return
        (attempt, updates), self._napping = self._napping, None
        self.slept += updates
        self._budget.slept += updates
        if self.last is not None:
            self.last = self.last._replace(own_step=attempt.own_step)
        self._listener.slept(attempt, updates, self._passes)


def draft_like(tape: Tape, seen: Sequence[Seen], held: Callable[[], Sequence[Tensor]]) -> Draft | None:
    """What steps like this one can be noted in; None where notes would not do.

    Args:
        tape: The tape.
        seen: What was seen of each of its backward passes.
        held: Looks up what the optimisers hold.
    """
    if len(seen) != 1 or tape.shared or tape.live.copying or tape.heard is not None:
        return None
    backward, own = seen[0].backward, set(map(id, held()))
    if backward.why or backward.kind != "backward" or is_averaged(backward):
        return None
    return Draft(tape, held) if all(id(p) in own for p in backward.parameters) else None
