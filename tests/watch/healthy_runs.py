"""Synthetic runs that are healthy, and look ill at some step: they may raise, and must not end as a finding."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

from gradcheck_cli.records.timeline import Vital
from tests.watch.drafts import Draft, Series, count_of, learning_run, level_at, noise_of, norms_of, student


def learns(rng: random.Random) -> Series:
    return Series(kind="learns", vitals=learning_run(rng).vitals())


def short(rng: random.Random) -> Series:
    return Series(kind="short", vitals=learning_run(rng, rng.randint(1, 30)).vitals())


def restarts(rng: random.Random) -> Series:
    """Warm restarts: the loss jumps to a share of its first value and comes down again, faster than at first."""
    period, cycles = rng.randint(40, 200), rng.randint(2, 6)
    draft = learning_run(rng, period * cycles)
    top, phased = draft.losses[0], rng.random() < 0.5
    height, rate = rng.uniform(0.05, 0.8), rng.uniform(4, 15) / period
    draft.losses = [
        loss + (i >= period) * height * top * math.exp(-rate * (i % period)) for i, loss in enumerate(draft.losses)
    ]
    draft.norms = norms_of(rng, draft.losses)
    draft.phases = [i // period if phased else 0 for i in range(period * cycles)]
    return Series(kind="restarts", vitals=draft.vitals())


def curriculum(rng: random.Random) -> Series:
    """Stages that are harder: the loss jumps and comes down to a level that may be higher than the last stage's."""
    stage, stages = rng.randint(60, 300), rng.randint(2, 5)
    top = 10 ** rng.uniform(-1, 2)
    floor, rate = rng.uniform(0.02, 0.2), rng.uniform(5, 20) / stage
    harder = min(rng.uniform(1.0, 1.5), (0.4 / floor) ** (1 / stages))  # what ends near its first loss is not healthy
    _, noise = noise_of(rng, stage * stages)
    losses = []
    for i, factor in enumerate(noise):
        number, age = divmod(i, stage)
        jump = 1.0 if number == 0 else rng.uniform(0.95, 1.05) * 0.7
        losses.append(top * (floor * harder**number + jump * math.exp(-rate * age)) * factor)
    return Series(kind="curriculum", vitals=Draft(losses, norms_of(rng, losses)).vitals())


def spikes(rng: random.Random) -> Series:
    """Spikes of 2 to 1,000 times the loss that the run comes back from within 1 to 100 steps."""
    count = rng.randint(300, 2000)
    draft = learning_run(rng, count)
    for _ in range(rng.randint(1, 5)):
        _bump(rng, draft, rng.randint(30, count - 150), rng.choice((1, 1, 3, 10, 30, 100)))
    return Series(kind="spikes that recover", vitals=draft.vitals())


def _bump(rng: random.Random, draft: Draft, at: int, width: int) -> None:
    height = 10 ** rng.uniform(0.3, 3)
    lead = rng.randint(0, 3)
    for age in range(min(width * (1 if width == 1 else 2), len(draft.losses) - at)):
        left = math.exp(-4 * age / width)
        draft.losses[at + age] += height * draft.losses[at - 1] * left
        draft.norms[max(at + age - lead, 0)] *= 1 + height * left


def clipped(rng: random.Random) -> Series:
    """Gradient norms that spike by up to a million while the clipped loss does nothing."""
    draft = learning_run(rng, rng.randint(200, 2000))
    for _ in range(rng.randint(1, 20)):
        draft.norms[rng.randrange(20, len(draft.norms))] *= 10 ** rng.uniform(1, 6)
    return Series(kind="clipped", vitals=draft.vitals())


def thaw(rng: random.Random) -> Series:
    """Layers are thawed: the gradient norm stays 2 to 100 times higher, the loss gets a little better."""
    draft = learning_run(rng, rng.randint(200, 2000))
    at, factor, phased = rng.randint(50, len(draft.norms) - 50), 10 ** rng.uniform(0.3, 2), rng.random() < 0.5
    draft.norms = [norm * factor if i >= at else norm for i, norm in enumerate(draft.norms)]
    draft.phases = [int(phased and i >= at) for i in range(len(draft.norms))]
    return Series(kind="thaw", vitals=draft.vitals())


def rewards(rng: random.Random) -> Series:
    """A policy's loss: noise around 0 whose size changes, negative as often as not, with discrete rewards."""
    count, scale, grows = count_of(rng), 10 ** rng.uniform(-2, 2), rng.uniform(-1, 2)
    discrete = rng.random() < 0.5
    losses, drift = [], 0.0
    for i in range(count):
        drift += rng.gauss(0, 0.02)
        size = scale * 10 ** (grows * i / count)
        reward = rng.choice((-1, 0, 0, 0, 0, 0, 1, 5)) if discrete else student(rng)
        losses.append(size * (reward + drift - 0.5 * i / count))
    norms = [scale * math.exp(rng.gauss(0, 0.6)) for _ in range(count)]
    return Series(kind="rewards", vitals=Draft(losses, norms).vitals())


def values(rng: random.Random) -> Series:
    """A value network: its loss falls, and climbs with the returns that it predicts, to 1 to 30 times its start."""
    count = rng.randint(300, 3000)
    start, climbs = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(0, 1.5)
    _, noise = noise_of(rng, count)
    losses = []
    for i, factor in enumerate(noise):
        returns = climbs / (1 + math.exp(-12 * (i / count - 0.5)))
        heavy = math.exp(rng.gauss(0, 0.5))
        losses.append(start * (math.exp(-20 * i / count) + 0.02 + returns) * factor * heavy)
    return Series(kind="value network", vitals=Draft(losses, norms_of(rng, losses)).vitals())


def game(rng: random.Random) -> Series:
    """Two optimisers that play: one loss climbs as the other falls, and they swing."""
    count, period, drift = rng.randint(100, 1500), rng.uniform(30, 400), rng.uniform(-2, 2)
    vitals = []
    for i in range(count):
        swing = drift * i / count + 0.7 * math.sin(2 * math.pi * i / period)
        if rng.random() < 0.002:
            swing += 2
        for number, sign in ((0, -1), (1, 1)):
            loss = 0.7 * math.exp(sign * swing + rng.gauss(0, 0.15))
            norm = loss * math.exp(rng.gauss(0, 0.3))
            step = 2 * i + number + 1
            vitals.append(Vital(step=step, optimizer=number, optimizer_step=i + 1, loss=loss, grad_norm=norm))
    return Series(kind="two players", vitals=tuple(vitals))


def two_groups(rng: random.Random) -> Series:
    """Two optimisers of one model and one loss."""
    draft = learning_run(rng)
    vitals = [
        replace(vital, step=2 * i + number + 1, optimizer=number)
        for i, vital in enumerate(draft.vitals())
        for number in (0, 1)
    ]
    return Series(kind="two optimisers, one loss", vitals=tuple(vitals))


def converged(rng: random.Random) -> Series:
    """An exact fit: nine or more decades down in few steps, and then rounding for ever."""
    count, fast = rng.randint(20, 1000), rng.uniform(0.2, 3)
    start = 10 ** rng.uniform(-2, 4)
    floor = start * 10 ** rng.uniform(-15, -8)
    still = rng.random() < 0.3
    losses = [start * math.exp(-fast * i) + floor * (1 if still else math.exp(rng.gauss(0, 1))) for i in range(count)]
    norms = [math.sqrt(loss) * (1 if still else math.exp(rng.gauss(0, 0.5))) for loss in losses]
    return Series(kind="converged", vitals=Draft(losses, norms).vitals())


def constant(rng: random.Random) -> Series:
    """A loss that does not move but for the rounding of its dtype, or not at all."""
    count, level = count_of(rng), rng.choice((0.0, math.log(2), 2.3, -7.0, 1e5))
    ulp = rng.choice((0.0, 2**-23, 2**-8, 2**-10))
    losses = [level * (1 + rng.choice((0, 0, 0, 0, 1, -1)) * ulp) for _ in range(count)]
    norms = [rng.choice((0.0, 1e-9)) for _ in range(count)] if level == 0.0 else [1.0] * count
    return Series(kind="constant", vitals=Draft(losses, norms).vitals())


def wanders(rng: random.Random) -> Series:
    """A slow drift that is noise: the loss is down, and wanders by a share of what it fell."""
    count = rng.randint(300, 3000)
    draft = learning_run(rng, count)
    size, held = rng.uniform(0.05, 0.4), 0.0
    period = rng.uniform(100, 1000)
    for i in range(count):
        held = 0.995 * held + rng.gauss(0, size * 0.1)
        draft.losses[i] *= math.exp(held + size * math.sin(2 * math.pi * i / period))
    return Series(kind="wanders", vitals=draft.vitals())


def settles(rng: random.Random) -> Series:
    """A loss scale that backs off 1 to 14 times, grows again, and overflows once in a while."""
    draft = learning_run(rng, rng.randint(100, 2000))
    _scaled(rng, draft, first=rng.randint(1, 14), interval=rng.choice((20, 100, 500, 2000)))
    return Series(kind="scaler settles", vitals=draft.vitals())


def _scaled(rng: random.Random, draft: Draft, *, first: int, interval: int) -> None:
    scale = 2.0 ** (first + rng.randint(4, 12))
    limit = scale / 2.0**first
    made = 0
    for i in range(len(draft.losses)):
        draft.scales.append(scale)
        over = scale > limit * 2.0 ** rng.choice((0, 0, 0, 0, 1)) or rng.random() < 0.001
        draft.skipped.append(over)
        if over:
            draft.norms[i] = rng.choice((math.inf, math.nan))
            scale, made = scale / 2, 0
        else:
            made += 1
            if made % interval == 0:
                scale *= 2


def augmented(rng: random.Random) -> Series:
    """From a step on the loss is higher for good, by 2 to 30 % of what was learned (dropout, mixup, a task more)."""
    draft = learning_run(rng, rng.randint(300, 2000))
    count = len(draft.losses)
    at = rng.randint(count // 4, 3 * count // 4)
    early, now = level_at(draft.losses, count // 40), level_at(draft.losses, at)
    extra = rng.uniform(0.02, 0.3) * max(early - now, 0.0)
    draft.losses = [loss + extra * (i >= at) for i, loss in enumerate(draft.losses)]
    draft.norms = norms_of(rng, draft.losses)
    return Series(kind="higher for good, little", vitals=draft.vitals())


def rough_start(rng: random.Random) -> Series:
    """No warm-up: the loss blows up within the first steps, by up to 10,000 times, and the run comes through."""
    draft = learning_run(rng, rng.randint(300, 2000))
    height, width = 10 ** rng.uniform(1, 4), rng.uniform(3, 30)
    at = rng.randint(1, 10)
    for i in range(at, len(draft.losses)):
        left = height * math.exp(-(i - at) / width)
        draft.losses[i] += left * draft.losses[0]
        draft.norms[i] *= 1 + left
    return Series(kind="rough start", vitals=draft.vitals())


def long_run(rng: random.Random) -> Series:
    draft = learning_run(rng, 20_000)
    for _ in range(rng.randint(0, 10)):
        _bump(rng, draft, rng.randint(30, 19_000), rng.choice((1, 3, 10, 30, 100)))
    return Series(kind="20,000 steps", vitals=draft.vitals())


HEALTHY: tuple[Callable[[random.Random], Series], ...] = (
    learns, short, restarts, curriculum, spikes, clipped, thaw, rewards, values, game, two_groups, converged, constant,
    wanders, settles, augmented, rough_start,
)  # fmt: skip
