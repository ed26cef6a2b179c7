"""How a script uses its optimisers: facts from the calls, so that a reader sees at once what the script really does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor, nn

from gradcheck_cli.records.timeline import Use
from gradcheck_cli.watch.diagnosing import Seen
from gradcheck_cli.watch.entries import Entry, data_of
from gradcheck_cli.watch.loop.facts import Facts
from gradcheck_cli.watch.updates import Attempt


class Uses:
    """What is known of each optimiser's use so far."""

    def __init__(self) -> None:
        self._uses: dict[int, Use] = {}

    def see(self, facts: Facts, attempt: Attempt, seen: Sequence[Seen]) -> None:
        """The next update that is attempted, with the backward passes that it is made of."""
        was = self._uses.get(facts.optimizer)
        if was is None:
            was = _begun(facts, attempt, [entry for each in seen for entry in each.backward.entries])
        self._uses[facts.optimizer] = replace(
            was,
            updates=was.updates + 1,
            last_rate=facts.rate,
            rates=was.rates + (facts.rate != was.last_rate),
            passes=was.passes + len(seen),
            clipped=was.clipped + _is_shortened(facts, seen[-1].scale if seen else 1.0),
            clip_limit=was.clip_limit if facts.clip_limit is None else facts.clip_limit,
            skipped=was.skipped + facts.skipped,
        )

    def told(self) -> list[Use]:
        """All of them, in the order of their first updates."""
        return [self._uses[number] for number in sorted(self._uses)]


def _is_shortened(facts: Facts, scale: float) -> bool:
    """Whether its gradients were clipped, and longer than what they were clipped to, as far as that is known."""
    known = facts.clip_limit is not None and facts.norm is not None
    return facts.clipped is not None and not (known and facts.norm <= scale * facts.clip_limit)  # type: ignore[operator]


def _begun(facts: Facts, attempt: Attempt, entries: Sequence[Entry]) -> Use:
    parts = {id(p): p for entry in entries if isinstance(entry.call, nn.Module) for p in entry.call.parameters()}
    frozen = sum(p.numel() for p in parts.values() if not p.requires_grad)
    return Use(
        optimizer=facts.optimizer,
        kind=type(attempt.optimizer).__name__,
        first_rate=facts.rate,
        last_rate=facts.rate,
        scaled=attempt.scaler is not None,
        autocast=next((name for entry in entries for name in _low(entry)), ""),
        rows=next((len(tensor) for entry in entries for tensor in _given(entry)), None),
        frozen=frozen / max(sum(p.numel() for p in parts.values()), 1),
    )


def _low(entry: Entry) -> Iterator[str]:
    devices = entry.autocast[0] if entry.autocast is not None else ()
    return (str(dtype).removeprefix("torch.") for _, enabled, dtype in devices if enabled)


def _given(entry: Entry) -> Iterator[Tensor]:
    return (data.tensor for data in data_of(entry) if data.tensor.dim())
