"""What becomes of gradients between one update of an optimiser and the next: by parameter, by its id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from gradcheck_cli.watch.accumulation import Accumulation
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Place, version_of

Mark = tuple[int, int]
"""A gradient's identity and how often it was written into."""


@dataclass(slots=True)
class Taken:
    """The gradient that an update took: whose, as it was then, and after which backward pass it was made."""

    optimizer: int
    mark: Mark | None
    passes: int


@dataclass(slots=True)
class _Reached:
    """The last backward pass that reached a parameter: its number, its line, and the updates and writes until then."""

    passes: int
    place: Place | None
    updates: int
    version: int


class Gradients:
    """Fed with each backward pass, before and after, and with what each update takes."""

    def __init__(self, accumulation: Accumulation) -> None:
        self._accumulation = accumulation
        self.passes = self.updates = 0
        self.taken: dict[int, Taken] = {}
        self._leftover: set[int] = set()
        self._reached: dict[int, _Reached] = {}
        self._lost: dict[int, int] = {}
        self._odd: set[int] = set()
        self._mixed: set[int] = set()
        self._before: list[tuple[Tensor, Mark | None, bool]] = []

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run; the accumulation knows already what is there."""
        self.passes += 1
        self._before = []
        if backward.kind != "backward":
            return
        starts, now = self._accumulation.starts, len(self._accumulation.backwards) - 1
        for parameter in backward.parameters:
            key, gradient = id(parameter), parameter.grad
            start = starts.get(key)
            clean = gradient is None or (start is not None and start.base is None and start.first == now)
            if clean or start is None or start.base is None:
                self._leftover.discard(key)
            elif (taken := self.taken.get(key)) is not None and taken.mark == _mark(gradient):
                self._leftover.add(key)
            self._before.append((parameter, _mark(gradient), clean))

    def ended(self, backward: Backward) -> bool:
        """It has run; whether it left a gradient in any parameter that is known."""
        reached = [(p, clean) for p, mark, clean in self._before if p.grad is not None and _mark(p.grad) != mark]
        self._before = []
        for parameter, clean in reached:
            self._note(id(parameter), parameter, backward.place, clean=clean)
        return bool(reached)

    def _note(self, key: int, parameter: Tensor, place: Place | None, *, clean: bool) -> None:
        was, taken = self._reached.get(key), self.taken.get(key)
        version = version_of(parameter)
        if clean:
            self._mixed.discard(key)
        if was is not None and (taken is None or was.passes > taken.passes):
            if not clean and was.updates != self.updates and was.place != place:
                self._mixed.add(key)
            if was.place != place or was.updates != self.updates or was.version != version:
                self._odd.add(key)
            elif clean:
                self._lost[key] = self._lost.get(key, 0) + 1
            else:
                self._odd.add(key)
        self._reached[key] = _Reached(self.passes, place, self.updates, version)

    def updated(self, optimizer: int, parameters: Iterable[Tensor]) -> None:
        """An update was made of the gradients of these."""
        self.updates += 1
        for parameter in parameters:
            key, gradient = id(parameter), parameter.grad
            self.taken[key] = Taken(optimizer, _mark(gradient), self.passes)
            self._leftover.discard(key)
            self._lost.pop(key, None)
            self._odd.discard(key)
            self._mixed.discard(key)

    def leftover(self, parameters: Sequence[Tensor]) -> int:
        """How many of these still hold what an update has used before."""
        return sum(id(p) in self._leftover and p.grad is not None for p in parameters) if self._leftover else 0

    def mixed(self, parameters: Sequence[Tensor]) -> int:
        """How many of these hold gradients from two lines, between which an optimiser has stepped on others."""
        return sum(id(p) in self._mixed for p in parameters) if self._mixed else 0

    def lost(self, parameters: Sequence[Tensor]) -> int:
        """Backward passes whose gradients were cleared before others came from the same line; 0 if unclear."""
        if not self._lost:
            return 0
        reached = [id(p) for p in parameters if self.since(p) and p.requires_grad]
        if not reached or any(key in self._odd for key in reached):
            return 0
        return min(self._lost.get(key, 0) for key in reached)

    def since(self, parameter: Tensor) -> bool:
        """Whether a backward pass reached it since an update took its gradient."""
        key = id(parameter)
        reached, taken = self._reached.get(key), self.taken.get(key)
        return reached is not None and (taken is None or reached.passes > taken.passes)

    def used_before(self, parameters: Sequence[Tensor]) -> list[Taken]:
        """The updates that took these very gradients already; empty unless it is so for all that there are."""
        held = [p for p in parameters if p.grad is not None]
        found = [self.taken.get(id(p)) for p in held]
        if any(id(p) not in self._reached for p in held):
            return []
        if any(
            taken is None or taken.mark != _mark(p.grad) or self.since(p) for taken, p in zip(found, held, strict=True)
        ):
            return []
        return [taken for taken in found if taken is not None]


def _mark(gradient: Tensor | None) -> Mark | None:
    return None if gradient is None else (id(gradient), version_of(gradient))
