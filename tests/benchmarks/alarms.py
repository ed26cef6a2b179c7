"""What the alarms cost a step: `python -m tests.benchmarks.alarms`, microseconds of CPU time.

Quiet steps are those of a long healthy run; busy ones have an event under way. The best of the rounds is told:
another job's cache misses are not the alarms'.
"""

from __future__ import annotations

import math
import random
import sys
import time

from gradcheck_cli.records.timeline import Vital
from gradcheck_cli.watch.alarms import Alarms

STEPS, ROUNDS = 20_000, 7


def main() -> None:
    for name, vitals in (("quiet", _run(math.inf)), ("busy", _run(100))):
        print(f"{name:6} {min(_microseconds(vitals) for _ in range(ROUNDS)):6.2f} us a step")
    alarms = Alarms()
    sizes = []
    for vital in _run(math.inf):
        alarms.see(vital)
        if vital.step in (STEPS // 10, STEPS):
            sizes.append(_size(alarms))
    print(f"memory {sizes[0] / 1e3:.1f} kB after {STEPS // 10} steps, {sizes[1] / 1e3:.1f} kB after {STEPS}")


def _run(jump: float) -> list[Vital]:
    """A loss that falls slowly, with noise; from a step on it is 20 times as high for good."""
    rng = random.Random(0)
    return [
        Vital(
            step=step,
            optimizer_step=step,
            loss=(20 if step >= jump else 1) * step**-0.1 * math.exp(rng.gauss(0, 0.1)),
            grad_norm=math.exp(rng.gauss(0, 0.2)),
        )
        for step in range(1, STEPS + 1)
    ]


def _microseconds(vitals: list[Vital]) -> float:
    alarms = Alarms()
    started = time.process_time()
    for vital in vitals:
        alarms.see(vital)
    return (time.process_time() - started) / len(vitals) * 1e6


def _size(root: object) -> int:
    """Bytes of everything that is reachable and ours or a container."""
    seen: set[int] = set()
    total, waiting = 0, [root]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        if isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif hasattr(each, "__iter__") and not isinstance(each, str):
            waiting += list(each)
        waiting += list(getattr(each, "__dict__", {}).values())
    return total


if __name__ == "__main__":
    main()
