"""Synthetic runs that go wrong, each with the steps in which that begins."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from gradcheck_cli.records.timeline import AlarmKind
from tests.watch.drafts import Draft, Series, learning_run, level_at, noise_of

ANY = frozenset((AlarmKind.LOSS_SPIKE, AlarmKind.GRAD_SPIKE, AlarmKind.DIVERGING, AlarmKind.NONFINITE))


def breaks(rng: random.Random) -> Series:
    """Not finite at a step, and for good or for one step."""
    draft = learning_run(rng)
    at, bad = rng.randrange(len(draft.losses)), rng.choice((math.nan, math.inf, -math.inf))
    last = len(draft.losses) if rng.random() < 0.7 else at + 1
    loss_too = rng.random() < 0.5
    for i in range(at, last):
        draft.norms[i] = math.nan
        if loss_too or i > at:
            draft.losses[i] = bad
    return Series(
        kind="not finite", vitals=draft.vitals(), ill=frozenset((AlarmKind.NONFINITE,)), window=(at + 1, at + 1)
    )


def collapses(rng: random.Random) -> Series:
    """What was learned is lost within few steps and does not come back: the loss stays near its first value."""
    count = rng.randint(200, 2000)
    draft = learning_run(rng, count)
    at = rng.randint(count // 4, count - 110)
    early = level_at(draft.losses, count // 40)
    lead, peak = rng.randint(0, 4), 10 ** rng.uniform(0, 2)
    level = max(early, draft.losses[at - 1] * 2) * rng.uniform(0.9, 1.3)
    _, noise = noise_of(rng, count)
    for i in range(at, count):
        draft.losses[i] = level * noise[i] * (1 + peak * math.exp(-(i - at) / 2.0))
    for i in range(max(at - lead, 0), min(at + 3, count)):
        draft.norms[i] *= 10 ** rng.uniform(0.7, 2)
    return Series(kind="spike that stays", vitals=draft.vitals(), ill=ANY, window=(max(at - 5, 1), at + 60))


def explodes(rng: random.Random) -> Series:
    """From a step on the loss grows by a constant factor a step, to 1e6 and beyond, and stays up."""
    count = rng.randint(200, 1500)
    draft = learning_run(rng, count)
    at, growth = rng.randint(20, count - 110), rng.uniform(1.1, 3)
    most = 10 ** rng.uniform(4, 12)
    base = draft.losses[at - 1]
    for i in range(at, count):
        grown = min(math.exp(min((i - at) * math.log(growth), 600)), most)
        draft.losses[i] += base * (grown - 1)
        draft.norms[i] *= grown**0.5
    return Series(kind="explodes", vitals=draft.vitals(), ill=ANY, window=(at + 1, count))


def first_steps(rng: random.Random) -> Series:
    """The loss explodes within the first 10 steps by 1e4 to 1e30 and never comes back, or is not finite."""
    count = rng.randint(3, 300)
    start, growth = 10 ** rng.uniform(-1, 4), 10 ** rng.uniform(1, 10)
    most, last = start * 10 ** rng.uniform(4, 30), rng.randint(1, 10)
    broken = rng.random() < 0.5 or count < 30
    losses, norms = [], []
    for i in range(count):
        loss = min(start * growth ** min(i, last), most) * math.exp(rng.gauss(0, 0.1))
        stop = broken and (i >= min(last, count - 1))
        losses.append(math.nan if stop else loss)
        norms.append(math.nan if stop else loss**0.9)
    return Series(kind="explodes at once", vitals=Draft(losses, norms).vitals(), ill=ANY, window=(1, max(count, 1)))


def climbs(rng: random.Random) -> Series:
    """A slow drift up: the loss has learned, and climbs exponentially to 100 to 1e6 times its start."""
    count = rng.randint(400, 3000)
    draft = learning_run(rng, count)
    at = rng.randint(count // 4, count // 2)
    most = draft.losses[0] / draft.losses[at] * 10 ** rng.uniform(2.3, 6)
    for i in range(at, count):
        draft.losses[i] *= max(most, 1e3) ** ((i - at) / (count - at))
    return Series(kind="climbs", vitals=draft.vitals(), ill=ANY, window=(at, count))


def falls_for_ever(rng: random.Random) -> Series:
    """A loss without a floor: it falls by a factor a step until it is not finite."""
    count, growth, start = rng.randint(60, 400), rng.uniform(2, 10), -(10 ** rng.uniform(0, 2))
    losses = [start * math.exp(min(i * math.log(growth), 700)) for i in range(count)]
    losses = [loss if loss > -3e38 else -math.inf for loss in losses]
    norms = [abs(loss) ** 0.5 for loss in losses]
    at = next((i for i, loss in enumerate(losses, 1) if math.isinf(loss)), 0)
    ill = ANY if at else frozenset()
    return Series(kind="falls for ever", vitals=Draft(losses, norms).vitals(), ill=ill, window=(1, at))


def scale_collapses(rng: random.Random) -> Series:
    """Every update from a step on overflows: the scale halves without end."""
    count = rng.randint(100, 1000)
    draft = learning_run(rng, count)
    at = rng.randint(0, count - 60)
    scale = 2.0 ** rng.randint(8, 16)
    gap = rng.choice((1, 1, 1, 3))
    for i in range(count):
        draft.scales.append(scale)
        over = i >= at and (i - at) % gap == 0
        draft.skipped.append(over)
        if over:
            draft.norms[i] = math.nan
            draft.losses[i] = math.nan if gap == 1 else draft.losses[i]
            scale /= 2
    return Series(
        kind="scale collapses",
        vitals=draft.vitals(),
        ill=frozenset((AlarmKind.SCALE_COLLAPSE,)),
        window=(at + 1, count),
    )


ILL: tuple[Callable[[random.Random], Series], ...] = (
    breaks, collapses, explodes, first_steps, climbs, falls_for_ever, scale_collapses,
)  # fmt: skip
