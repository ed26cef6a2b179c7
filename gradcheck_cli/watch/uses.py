"""How a script uses its optimisers: facts from the calls, so that a reader sees at once what the script really does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from gradcheck_cli.records.timeline import Use
from gradcheck_cli.watch.attempts import Attempt
from gradcheck_cli.watch.diagnosing import Seen
from gradcheck_cli.watch.entries import TapeEntry, data_of
from gradcheck_cli.watch.loop.calls import Clip
from gradcheck_cli.watch.loop.factgathering import Brief


@dataclass(slots=True)
class _Counts:
    """What is counted at every update of an optimiser, beside what its first one showed.

    Whether gradients were clipped is known of those updates that are read whole: it is told for all by their share.
    """

    first: Use
    rate: float | None
    updates: int = 0
    unread: int = 0  # updates since the last that was read whole, which stands for them
    rates: int = 0
    passes: int = 0
    clipped: int = 0
    limit: float | None = None
    skipped: int = 0

    def told(self) -> Use:
        """All of it."""
        return replace(
            self.first,
            updates=self.updates,
            last_rate=self.rate,
            rates=self.first.rates + self.rates,
            passes=self.passes,
            clipped=self.clipped,
            clip_limit=self.limit,
            skipped=self.skipped,
        )


class Uses:
    """What is known of each optimiser's use so far."""

    def __init__(self) -> None:
        self._counts: dict[int, _Counts] = {}
        self._by_hand: _Counts | None = None

    def see(self, brief: Brief, attempt: Attempt, seen: Sequence[Seen]) -> None:
        """The next update that is attempted, with the backward passes that it is made of."""
        counts = self._counts.get(attempt.number)
        if counts is None:
            entries = [entry for each in seen for entry in each.backward.entries]
            first = Use(
                optimizer=attempt.number,
                kind=type(attempt.optimizer).__name__,
                first_rate=brief.rate,
                last_rate=brief.rate,
                scaled=attempt.scaler is not None,
            )
            counts = self._counts[attempt.number] = _Counts(_begun(first, entries), brief.rate)
        counts.updates += 1
        counts.rates += brief.rate != counts.rate
        counts.rate = brief.rate
        counts.passes += len(seen)
        if brief.clip is not None and _is_shortened(brief.clip, attempt, seen):
            counts.clipped += 1 + counts.unread
        counts.unread = 0
        if brief.clip is not None and brief.clip.limit is not None:
            counts.limit = brief.clip.limit
        counts.skipped += brief.skipped

    def know(self, optimizer: int) -> bool:
        """Whether an update of an optimiser was seen."""
        return optimizer in self._counts

    def passed(self, optimizer: int, rate: float | None, updates: int, passes: int) -> None:
        """The next few, each of so many passes, of which no more is known than the learning rate of the last."""
        counts = self._counts[optimizer]
        counts.updates += updates
        counts.unread += updates
        counts.rates += rate != counts.rate
        counts.rate = rate
        counts.passes += updates * passes

    def moved(self, seen: Sequence[Seen]) -> None:
        """An update that no optimiser was seen to make, with the backward passes that it is made of."""
        if self._by_hand is None:
            entries = [entry for each in seen for entry in each.backward.entries]
            self._by_hand = _Counts(_begun(Use(kind=BY_HAND), entries), None)
        self._by_hand.updates += 1
        self._by_hand.passes += len(seen)

    def told(self) -> list[Use]:
        """All of them, in the order of their first updates; those by hand only where there is no optimiser."""
        if not self._counts:
            return [] if self._by_hand is None else [self._by_hand.told()]
        return [self._counts[number].told() for number in sorted(self._counts)]


BY_HAND = "no optimizer, updates by hand"
"""What stands for the class of an optimiser where there is none."""


def _is_shortened(clip: Clip, attempt: Attempt, seen: Sequence[Seen]) -> bool:
    """Whether gradients that were clipped were longer than what they were clipped to, as far as that is known."""
    if clip.limit is None or not seen:
        return True
    norm = seen[-1].norms.over(attempt.parameters())
    return norm is None or norm > seen[-1].scale * clip.limit  # what is NaN has no length


def _begun(use: Use, entries: Sequence[TapeEntry]) -> Use:
    """What the first update shows, beside what is known of the optimiser."""
    parts = {id(p): p for entry in entries if isinstance(entry.call, nn.Module) for p in entry.call.parameters()}
    frozen = sum(p.numel() for p in parts.values() if not p.requires_grad)
    return replace(
        use,
        autocast=next((name for entry in entries for name in _low(entry)), ""),
        rows=next((len(tensor) for entry in entries for tensor in _given(entry)), None),
        frozen=frozen / max(sum(p.numel() for p in parts.values()), 1),
    )


def _low(entry: TapeEntry) -> Iterator[str]:
    devices = entry.autocast[0] if entry.autocast is not None else ()
    return (str(dtype).removeprefix("torch.") for _, enabled, dtype in devices if enabled)


def _given(entry: TapeEntry) -> Iterator[Tensor]:
    return (data.tensor for data in data_of(entry) if data.tensor.dim())
