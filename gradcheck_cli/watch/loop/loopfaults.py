"""Which signs make a fault: how often they must hold, and each fault told once. All of it is pure.

A single update seldom proves a fault: scripts accumulate, skip, warm up. So a sign has to hold at some consecutive
updates of one optimiser.
"""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck_cli.watch.loop.facts import Facts, LoopFault
from gradcheck_cli.watch.loop.signs import BY_HOLDING, BY_ROW, NOT_IN_A_ROW, NOT_ONE_OPTIMIZERS, Shown, shown

STILL = 10
"""First updates that may move nothing while a learning rate warms up."""
REST = 20
"""Updates without a learning rate that are more than the end of a schedule."""
NOTHING = 2.0**-24
"""Share of its peak below which a learning rate moves no float32 weight that it moved at first."""


class LoopFaults:
    """The faults of one process's loop: fed with the facts of every attempted update."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], tuple[int, int]] = {}  # how many in a row, and the first one's step
        self._told: set[tuple[str, int]] = set()
        self._rates: dict[int, Rates] = {}
        self._still: dict[int, Still] = {}

    def see(self, facts: Facts) -> tuple[LoopFault, ...]:
        """Take in an update; what it raises is mostly nothing, and each fault once for an optimiser."""
        found = []
        for each in (*self._in_a_row(facts), *_of_holding(facts), *self._over_time(facts)):
            if (each.code, facts.optimizer) not in self._told:
                self._told.add((each.code, facts.optimizer))
                found.append(each)
        return tuple(found)

    def pass_over(self, optimizer: int, rate: float | None, *, skipped: bool) -> bool:
        """Take in an update of which nothing more is known; False where more is wanted: its learning rate is at 0."""
        known = self._rates.get(optimizer)
        return known is not None and known.works(rate, skipped=skipped)

    def resume(self) -> None:
        """Updates were passed over: what held before is not in a row with what comes."""
        self._rows = {key: row for key, row in self._rows.items() if key[0] in NOT_IN_A_ROW}

    def _in_a_row(self, facts: Facts) -> Iterator[LoopFault]:
        for code, times, shows in BY_ROW:
            key = code, -1 if code in NOT_ONE_OPTIMIZERS else facts.optimizer
            sign = shows(facts)
            if sign is None:
                if code not in NOT_IN_A_ROW:
                    self._rows.pop(key, None)
                continue
            count, since = self._rows.get(key, (0, facts.step))
            self._rows[key] = count + 1, since
            if count + 1 == times:
                yield _found(code, sign, since)

    def _over_time(self, facts: Facts) -> Iterator[LoopFault]:
        rates = self._rates.setdefault(facts.optimizer, Rates())
        if (sign := rates.see(facts)) is not None:
            yield _found("GC672", sign, rates.since)
        sign = self._still.setdefault(facts.optimizer, Still()).see(facts)
        explained = any(optimizer == facts.optimizer for _, optimizer in self._told)
        if sign is not None and not explained:
            yield _found("GC673", sign, 1)


class Rates:
    """An optimiser's learning rate: at 0 for longer than it was not.

    Attributes:
        since: The first step of those at which it is 0.
    """

    def __init__(self) -> None:
        self._peak, self._at_rest, self._seen = 0.0, 0, 0
        self.since = 0

    def works(self, rate: float | None, *, skipped: bool) -> bool:
        """Take in an update whose learning rate moves something, or that counts for nothing; whether it is one."""
        if rate is None or skipped:
            return True
        self._peak = max(self._peak, rate)
        if rate <= NOTHING * self._peak:
            return False
        self._seen += 1
        self._at_rest = 0
        return True

    def see(self, facts: Facts) -> Shown | None:
        """Take in an update of the optimiser."""
        if facts.rate is None or self.works(facts.rate, skipped=facts.skipped):
            return None
        self._seen += 1
        self.since = self.since if self._at_rest else facts.step
        self._at_rest += 1
        if self._at_rest < max(REST, self._seen - self._at_rest):
            return None
        by = f", after {facts.rated_times} steps of its scheduler" if facts.rated_times else ""
        start, since = ("", f"since step {self.since} ") if self._peak else (" from the start", "")
        return shown(
            f"the learning rate is {facts.rate:.3g}{start}{by}: {since}the updates move nothing",
            facts.rated or facts.made,
            peak=self._peak,
            scheduler_steps=facts.rated_times,
        )


class Still:
    """An optimiser whose first updates move no parameter, although there are gradients and a learning rate."""

    def __init__(self) -> None:
        self._over, self._first, self._count = False, 0.0, 0

    def see(self, facts: Facts) -> Shown | None:
        """Take in an update; `moved` tells of the one before."""
        if self._over or facts.moved is None:
            return None
        if facts.moved or not facts.rate:
            self._over = facts.moved
            return None
        if facts.skipped or facts.empty or not facts.norm:
            return None
        self._first = self._first or facts.rate
        self._count += 1
        if facts.rate > self._first or self._count < STILL - 1:
            return None
        self._over = True
        return shown(
            f"{self._count} updates with a gradient of norm {facts.norm:.3g} and a learning rate of {facts.rate:.3g} "
            "have moved no parameter: they are smaller than the weights' rounding",
            facts.stepped,
            updates=self._count,
            rate=facts.rate,
            dtype=facts.dtype,
        )


def _of_holding(facts: Facts) -> Iterator[LoopFault]:
    if facts.holding is not None:
        for code, holds in BY_HOLDING:
            if (sign := holds(facts, facts.holding)) is not None:
                yield _found(code, sign, facts.step)


def _found(code: str, sign: Shown, since: int) -> LoopFault:
    return LoopFault(code=code, message=sign.message, line=sign.line, evidence=sign.evidence, since=since)
