"""Which sampled update stands out, in hand-written sizes."""

from __future__ import annotations

import math
import random

from gradcheck_cli.records.session import Sample
from gradcheck_cli.watch.jumps import Jump, Jumps


def seen(updates: list[float | None], rms: list[float | None] | None = None) -> list[Jump | None]:
    jumps = Jumps()
    rms = rms or [None] * len(updates)
    read = zip(updates, rms, strict=True)
    return [jumps.see(Sample(step=8 * i, update=u, update_rms=r)) for i, (u, r) in enumerate(read, start=1)]


def noisy(count: int, level: float, seed: int = 0) -> list[float | None]:
    rng = random.Random(seed)
    return [level * math.exp(rng.gauss(0, 0.2)) for _ in range(count)]


def test_an_update_far_above_those_before_stands_out() -> None:
    found = seen([*noisy(30, 1e-3), 0.5, *noisy(10, 1e-3)])
    (jump,) = filter(None, found)
    assert found.index(jump) == 30
    assert jump.told == "the update of step 248 moved the weights by 0.5 of themselves"
    assert jump.height > 8
    assert jump.values == {"update_ratio": 0.5, "update_step": 248}


def test_what_an_optimiser_normalises_is_told_by_its_rms() -> None:
    steady = noisy(30, 1e-3)
    (jump,) = filter(None, seen([*steady, 2e-3], [*noisy(30, 0.3, 1), 30.0]))
    assert jump.told == "the RMS of dw/lr was 30 in the update of step 248"
    assert jump.values["adam_rms"] == 30.0


def test_few_updates_are_no_measure() -> None:
    assert not any(seen([*noisy(19, 1e-3), 0.5]))


def test_steady_growth_noise_and_updates_of_nothing_do_not_stand_out() -> None:
    assert not any(seen(noisy(500, 1e-3)))
    assert not any(seen([1e-6 * 1.1**i for i in range(200)]))  # a warm-up
    assert not any(seen([*noisy(30, 1e-3), 0.0, None, math.nan, *noisy(30, 1e-3)]))
    assert not any(seen([1e-3] * 60 + [1.5e-3]))
