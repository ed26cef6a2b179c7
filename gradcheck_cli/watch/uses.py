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
    """What is counted at every update of an optimiser, beside what its first one showed."""

    first: Use
    rate: float | None
    updates: int = 0
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

    def see(self, brief: Brief, attempt: Attempt, seen: Sequence[Seen]) -> None:
        """The next update that is attempted, with the backward passes that it is made of."""
        counts = self._counts.get(attempt.number)
        if counts is None:
            entries = [entry for each in seen for entry in each.backward.entries]
            counts = self._counts[attempt.number] = _Counts(_begun(brief, attempt, entries), brief.rate)
        counts.updates += 1
        counts.rates += brief.rate != counts.rate
        counts.rate = brief.rate
        counts.passes += len(seen)
        counts.clipped += brief.clip is not None and _is_shortened(brief.clip, attempt, seen)
        if brief.clip is not None and brief.clip.limit is not None:
            counts.limit = brief.clip.limit
        counts.skipped += brief.skipped

    def told(self) -> list[Use]:
        """All of them, in the order of their first updates."""
        return [self._counts[number].told() for number in sorted(self._counts)]


def _is_shortened(clip: Clip, attempt: Attempt, seen: Sequence[Seen]) -> bool:
    """Whether gradients that were clipped were longer than what they were clipped to, as far as that is known."""
    if clip.limit is None or not seen:
        return True
    norm = seen[-1].norms.over(attempt.parameters())
    return norm is None or not norm <= seen[-1].scale * clip.limit


def _begun(brief: Brief, attempt: Attempt, entries: Sequence[TapeEntry]) -> Use:
    parts = {id(p): p for entry in entries if isinstance(entry.call, nn.Module) for p in entry.call.parameters()}
    frozen = sum(p.numel() for p in parts.values() if not p.requires_grad)
    return Use(
        optimizer=attempt.number,
        kind=type(attempt.optimizer).__name__,
        first_rate=brief.rate,
        last_rate=brief.rate,
        scaled=attempt.scaler is not None,
        autocast=next((name for entry in entries for name in _low(entry)), ""),
        rows=next((len(tensor) for entry in entries for tensor in _given(entry)), None),
        frozen=frozen / max(sum(p.numel() for p in parts.values()), 1),
    )


def _low(entry: TapeEntry) -> Iterator[str]:
    devices = entry.autocast[0] if entry.autocast is not None else ()
    return (str(dtype).removeprefix("torch.") for _, enabled, dtype in devices if enabled)


def _given(entry: TapeEntry) -> Iterator[Tensor]:
    return (data.tensor for data in data_of(entry) if data.tensor.dim())
