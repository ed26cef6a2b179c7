"""The backward passes that one update is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.diagnosing import Seen


@dataclass(slots=True)
class UpdateGroup:
    """The backward passes since the update before.

    Attributes:
        seen: What was read of each.
        judged: Whether the update that is made of them was judged.
        closed: Whether it was made.
    """

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

    def loss(self) -> float | None:
        """Mean of the losses that the update is made of."""
        losses = [each.loss for each in self.seen if each.loss is not None]
        return sum(losses) / len(losses) if losses else None
