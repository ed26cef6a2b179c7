"""Layers whose units become copies of each other during a run: raised when two samples in a row show it."""

from __future__ import annotations

from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised, Vital


class CopyAlarm:
    """The samples of one process that tell of copies, of whatever optimiser.

    Copies that were there when it was first looked are those of the start, which the first step's diagnosis tells.
    """

    def __init__(self) -> None:
        self._from_the_start: frozenset[str] | None = None
        self._last: dict[int, dict[str, float]] = {}
        self._since: dict[str, int] = {}
        self._raised: Raised | None = None
        self._layers: tuple[str, ...] = ()
        self._found: tuple[int, dict[str, float]] | None = None  # to be raised at the next update: whose, and where
        self._last_step = 0

    def sampled(self, sample: Sample) -> None:
        """What was read at the last update."""
        if sample.copies is None:
            return
        if self._from_the_start is None:
            self._from_the_start = frozenset(sample.copies)
        before, self._last[sample.optimizer] = self._last.get(sample.optimizer, {}), dict(sample.copies)
        late = {name: share for name, share in sample.copies.items() if name not in self._from_the_start}
        for name in late.keys() - before.keys():
            self._since[name] = sample.step
        twice = {name: share for name, share in late.items() if name in before}
        if twice and self._raised is None:
            self._found = sample.optimizer, twice

    def see(self, vital: Vital) -> Raised | None:
        """The next update; what it raises, once a run."""
        self._last_step = vital.step
        if self._found is None or self._raised is not None:
            return None
        optimizer, found = self._found
        self._layers = tuple(found)
        since = min(self._since[name] for name in found)
        share, layers = max(found.values()), ", ".join(f"`{name}`" for name in found)
        message = (
            f"{share:.0%} of the units of {layers} are copies of other units since step {since} at the latest: "
            "the same weights and the same gradient, so that they stay copies"
        )
        evidence: dict[str, float | int | str] = {"cause": "symmetric-init", "copies": share, "since": since}
        self._raised = Raised(
            kind=AlarmKind.READING, step=vital.step, optimizer=optimizer, message=message, evidence=evidence
        )
        return self._raised

    def judged(self) -> tuple[Judged, ...]:
        """It stands for as long as the last sample shows it as well."""
        if self._raised is None:
            return ()
        now = self._last[self._raised.optimizer]
        held = any(name in now for name in self._layers)
        told = "two samples in a row show it, and the last one" if held else "later samples show no copies"
        outcome = Outcome.CONFIRMED if held else Outcome.RECOVERED
        return (Judged(raised=self._raised, last_step=self._last_step, outcome=outcome, finding=held, told=told),)
