"""Synthetic series of runs with known answers, from a seed: what the alarms are scored on.

`python -m tests.watch.synthetic [--per-kind N] [--seed S] [-v]` prints, kind by kind, how many were confirmed, open with
a finding, raised at all and within the window. A healthy series may raise, and must not end as a finding.

The makers write what a training run looks like, from the outside: a trend, a noise, an event. None knows how the alarms
work; the sizes are drawn from what public training logs show (a spike of two to a thousand times the loss, noise of 1 to
50 %, plateaus at any level).
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Vital
from gradcheck_cli.watch.alarms import Alarms

PER_KIND = 60


@dataclass(frozen=True, kw_only=True)
class Series:
    """One run, and what it should come to.

    Attributes:
        ill: Kinds of which one has to be confirmed, or open with a finding, in `window`; empty for a healthy run.
    """

    kind: str
    vitals: tuple[Vital, ...]
    ill: frozenset[AlarmKind] = frozenset()
    window: tuple[int, int] = (0, 0)


@dataclass
class Draft:
    """A run while it is made: losses and gradient norms of one optimiser."""

    losses: list[float]
    norms: list[float]
    phases: list[int] = field(default_factory=list)
    scales: list[float | None] = field(default_factory=list)
    skipped: list[bool] = field(default_factory=list)

    def vitals(self) -> tuple[Vital, ...]:
        count = len(self.losses)
        phases = self.phases or [0] * count
        scales = self.scales or [None] * count
        skipped = self.skipped or [False] * count
        return tuple(
            Vital(
                step=i + 1,
                optimizer_step=i + 1,
                loss=self.losses[i],
                grad_norm=self.norms[i],
                finite=math.isfinite(self.losses[i]) and math.isfinite(self.norms[i]),
                phase=phases[i],
                scale=scales[i],
                skipped=skipped[i],
            )
            for i in range(count)
        )


# -- trends and noises


def _trend(rng: random.Random, count: int) -> list[float]:
    top = 10 ** rng.uniform(-1, 3)
    floor = top * 10 ** rng.uniform(-4, -0.3)
    shape = rng.choice(("exponential", "power", "plateau", "steps"))
    rate = rng.uniform(3, 30) / count
    if shape == "exponential":
        return [floor + (top - floor) * math.exp(-rate * i) for i in range(count)]
    if shape == "power":
        power = rng.uniform(0.2, 1.0)
        return [floor + (top - floor) * (1 + i) ** -power for i in range(count)]
    if shape == "plateau":
        wait, width = rng.uniform(0.1, 0.5) * count, rng.uniform(0.01, 0.1) * count
        return [floor + (top - floor) / (1 + math.exp(min((i - wait) / width, 700))) for i in range(count)]
    levels = sorted((rng.uniform(floor, top) for _ in range(rng.randint(2, 5))), reverse=True)
    return [levels[min(i * len(levels) // count, len(levels) - 1)] for i in range(count)]


def _noise(rng: random.Random, count: int) -> tuple[str, list[float]]:
    """Factors around 1."""
    size = 10 ** rng.uniform(-2, -0.4)
    kind = rng.choice(("gauss", "student", "lognormal", "bursts", "periodic", "fading", "correlated"))
    if kind == "gauss":
        return kind, [max(1 + rng.gauss(0, size), 0.02) for _ in range(count)]
    if kind == "student":
        return kind, [max(1 + size * _student(rng), 0.02) for _ in range(count)]
    if kind == "lognormal":
        return kind, [math.exp(rng.gauss(0, 2 * size)) for _ in range(count)]
    if kind == "bursts":
        rate = rng.uniform(0.002, 0.05)
        return kind, [
            1 + abs(rng.gauss(0, size)) + (rng.random() < rate) * rng.uniform(1, 20) * size for _ in range(count)
        ]
    if kind == "periodic":
        period = rng.randint(5, 200)
        return kind, [1 + size * math.sin(2 * math.pi * i / period) + rng.gauss(0, size / 3) for i in range(count)]
    if kind == "fading":
        return kind, [max(1 + rng.gauss(0, size * (1 - 0.9 * i / count)), 0.02) for i in range(count)]
    held, values = 0.0, []
    keep = rng.uniform(0.8, 0.99)
    for _ in range(count):
        held = keep * held + math.sqrt(1 - keep**2) * rng.gauss(0, size)
        values.append(math.exp(held))
    return kind, values


def _student(rng: random.Random, freedom: int = 3) -> float:
    return rng.gauss(0, 1) / math.sqrt(sum(rng.gauss(0, 1) ** 2 for _ in range(freedom)) / freedom)


def _norms(rng: random.Random, losses: list[float]) -> list[float]:
    """Gradient norms that follow the loss by a power, with noise of their own."""
    power, size, unit = rng.uniform(0.0, 1.0), rng.uniform(0.05, 0.4), 10 ** rng.uniform(-2, 2)
    return [unit * abs(loss) ** power * math.exp(rng.gauss(0, size)) for loss in losses]


def _count(rng: random.Random) -> int:
    return int(10 ** rng.uniform(1.8, 3.3))


def _learning(rng: random.Random, count: int | None = None) -> Draft:
    count = count or _count(rng)
    _, noise = _noise(rng, count)
    losses = [level * factor for level, factor in zip(_trend(rng, count), noise, strict=True)]
    return Draft(losses, _norms(rng, losses))


# -- healthy runs


def learns(rng: random.Random) -> Series:
    return Series(kind="learns", vitals=_learning(rng).vitals())


def short(rng: random.Random) -> Series:
    return Series(kind="short", vitals=_learning(rng, rng.randint(1, 30)).vitals())


def restarts(rng: random.Random) -> Series:
    """Warm restarts: the loss jumps to a share of its first value and comes down again, faster than at first."""
    period, cycles = rng.randint(40, 200), rng.randint(2, 6)
    draft = _learning(rng, period * cycles)
    top, phased = draft.losses[0], rng.random() < 0.5
    height, rate = rng.uniform(0.05, 0.8), rng.uniform(4, 15) / period
    draft.losses = [
        loss + (i >= period) * height * top * math.exp(-rate * (i % period)) for i, loss in enumerate(draft.losses)
    ]
    draft.norms = _norms(rng, draft.losses)
    draft.phases = [i // period if phased else 0 for i in range(period * cycles)]
    return Series(kind="restarts", vitals=draft.vitals())


def curriculum(rng: random.Random) -> Series:
    """Stages that are harder: the loss jumps and comes down to a level that may be higher than the last stage's."""
    stage, stages = rng.randint(60, 300), rng.randint(2, 5)
    top = 10 ** rng.uniform(-1, 2)
    floor, harder, rate = rng.uniform(0.02, 0.2), rng.uniform(1.0, 1.5), rng.uniform(5, 20) / stage
    _, noise = _noise(rng, stage * stages)
    losses = []
    for i, factor in enumerate(noise):
        number, age = divmod(i, stage)
        jump = 1.0 if number == 0 else rng.uniform(0.95, 1.05) * 0.7
        losses.append(top * (floor * harder**number + jump * math.exp(-rate * age)) * factor)
    return Series(kind="curriculum", vitals=Draft(losses, _norms(rng, losses)).vitals())


def spikes(rng: random.Random) -> Series:
    """Spikes of 2 to 1,000 times the loss that the run comes back from within 1 to 100 steps."""
    count = rng.randint(300, 2000)
    draft = _learning(rng, count)
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
    draft = _learning(rng, rng.randint(200, 2000))
    for _ in range(rng.randint(1, 20)):
        draft.norms[rng.randrange(20, len(draft.norms))] *= 10 ** rng.uniform(1, 6)
    return Series(kind="clipped", vitals=draft.vitals())


def thaw(rng: random.Random) -> Series:
    """Layers are thawed: the gradient norm stays 2 to 100 times higher, the loss gets a little better."""
    draft = _learning(rng, rng.randint(200, 2000))
    at, factor, phased = rng.randint(50, len(draft.norms) - 50), 10 ** rng.uniform(0.3, 2), rng.random() < 0.5
    draft.norms = [norm * factor if i >= at else norm for i, norm in enumerate(draft.norms)]
    draft.phases = [int(phased and i >= at) for i in range(len(draft.norms))]
    return Series(kind="thaw", vitals=draft.vitals())


def rewards(rng: random.Random) -> Series:
    """A policy's loss: noise around 0 whose size changes, negative as often as not, with discrete rewards."""
    count, scale, grows = _count(rng), 10 ** rng.uniform(-2, 2), rng.uniform(-1, 2)
    discrete = rng.random() < 0.5
    losses, drift = [], 0.0
    for i in range(count):
        drift += rng.gauss(0, 0.02)
        size = scale * 10 ** (grows * i / count)
        reward = rng.choice((-1, 0, 0, 0, 0, 0, 1, 5)) if discrete else _student(rng)
        losses.append(size * (reward + drift - 0.5 * i / count))
    norms = [scale * math.exp(rng.gauss(0, 0.6)) for _ in range(count)]
    return Series(kind="rewards", vitals=Draft(losses, norms).vitals())


def values(rng: random.Random) -> Series:
    """A value network: its loss falls, and then climbs with the returns it has to predict, to up to 30 times its start."""
    count = rng.randint(300, 3000)
    start, climbs = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(0, 1.5)
    _, noise = _noise(rng, count)
    losses = []
    for i, factor in enumerate(noise):
        returns = climbs / (1 + math.exp(-12 * (i / count - 0.5)))
        heavy = math.exp(rng.gauss(0, 0.5))
        losses.append(start * (math.exp(-20 * i / count) + 0.02 + returns) * factor * heavy)
    return Series(kind="value network", vitals=Draft(losses, _norms(rng, losses)).vitals())


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
    draft = _learning(rng)
    vitals = []
    for i, vital in enumerate(draft.vitals()):
        for number in (0, 1):
            vitals.append(replace(vital, step=2 * i + number + 1, optimizer=number))
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
    count, level = _count(rng), rng.choice((0.0, math.log(2), 2.3, -7.0, 1e5))
    ulp = rng.choice((0.0, 2**-23, 2**-8, 2**-10))
    losses = [level * (1 + rng.choice((0, 0, 0, 0, 1, -1)) * ulp) for _ in range(count)]
    norms = [rng.choice((0.0, 1e-9)) for _ in range(count)] if level == 0.0 else [1.0] * count
    return Series(kind="constant", vitals=Draft(losses, norms).vitals())


def wanders(rng: random.Random) -> Series:
    """A slow drift that is noise: the loss is down, and wanders by a share of what it fell."""
    count = rng.randint(300, 3000)
    draft = _learning(rng, count)
    size, held = rng.uniform(0.05, 0.4), 0.0
    period = rng.uniform(100, 1000)
    for i in range(count):
        held = 0.995 * held + rng.gauss(0, size * 0.1)
        draft.losses[i] *= math.exp(held + size * math.sin(2 * math.pi * i / period))
    return Series(kind="wanders", vitals=draft.vitals())


def settles(rng: random.Random) -> Series:
    """A loss scale that backs off 1 to 14 times, grows again, and overflows once in a while."""
    draft = _learning(rng, rng.randint(100, 2000))
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
    """From a step on the loss is higher for good, by less than half of what was learned (dropout, mixup, more tasks)."""
    draft = _learning(rng, rng.randint(300, 2000))
    count = len(draft.losses)
    at = rng.randint(count // 4, 3 * count // 4)
    early, now = _middle(draft.losses, count // 40), _middle(draft.losses, at)
    extra = rng.uniform(0.02, 0.3) * max(early - now, 0.0)
    draft.losses = [loss + extra * (i >= at) for i, loss in enumerate(draft.losses)]
    return Series(kind="higher for good, little", vitals=draft.vitals())


def _middle(losses: list[float], at: int) -> float:
    near = sorted(losses[max(at - 5, 0) : at + 6])
    return near[len(near) // 2]


def rough_start(rng: random.Random) -> Series:
    """No warm-up: the loss blows up within the first steps, by up to 10,000 times, and the run comes through."""
    draft = _learning(rng, rng.randint(300, 2000))
    height, width = 10 ** rng.uniform(1, 4), rng.uniform(3, 30)
    at = rng.randint(1, 10)
    for i in range(at, len(draft.losses)):
        left = height * math.exp(-(i - at) / width)
        draft.losses[i] += left * draft.losses[0]
        draft.norms[i] *= 1 + left
    return Series(kind="rough start", vitals=draft.vitals())


def long_run(rng: random.Random) -> Series:
    draft = _learning(rng, 20_000)
    for _ in range(rng.randint(0, 10)):
        _bump(rng, draft, rng.randint(30, 19_000), rng.choice((1, 3, 10, 30, 100)))
    return Series(kind="20,000 steps", vitals=draft.vitals())


# -- ill runs

ANY = frozenset((AlarmKind.LOSS_SPIKE, AlarmKind.GRAD_SPIKE, AlarmKind.DIVERGING, AlarmKind.NONFINITE))


def breaks(rng: random.Random) -> Series:
    """Not finite at a step, and for good or for one step."""
    draft = _learning(rng)
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
    draft = _learning(rng, count)
    at = rng.randint(count // 4, count - 110)
    early = _middle(draft.losses, count // 40)
    lead, peak = rng.randint(0, 4), 10 ** rng.uniform(0, 2)
    level = max(early, draft.losses[at - 1] * 2) * rng.uniform(0.9, 1.3)
    _, noise = _noise(rng, count)
    for i in range(at, count):
        draft.losses[i] = level * noise[i] * (1 + peak * math.exp(-(i - at) / 2.0))
    for i in range(max(at - lead, 0), min(at + 3, count)):
        draft.norms[i] *= 10 ** rng.uniform(0.7, 2)
    return Series(kind="spike that stays", vitals=draft.vitals(), ill=ANY, window=(max(at - 5, 1), at + 60))


def explodes(rng: random.Random) -> Series:
    """From a step on the loss grows by a constant factor a step, to 1e6 and beyond, and stays up."""
    count = rng.randint(200, 1500)
    draft = _learning(rng, count)
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
    draft = _learning(rng, count)
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
    draft = _learning(rng, count)
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


HEALTHY: tuple[Callable[[random.Random], Series], ...] = (
    learns, short, restarts, curriculum, spikes, clipped, thaw, rewards, values, game, two_groups, converged, constant,
    wanders, settles, augmented, rough_start,
)  # fmt: skip
ILL: tuple[Callable[[random.Random], Series], ...] = (
    breaks, collapses, explodes, first_steps, climbs, falls_for_ever, scale_collapses,
)  # fmt: skip


def series(per_kind: int = PER_KIND, seed: int = 0) -> Iterator[Series]:
    """As many of each kind, and a twentieth as many of 20,000 steps."""
    for make in (*HEALTHY, *ILL):
        # A kind's series stay what they are when another kind is added.
        rng = random.Random(f"{seed} {make.__name__}")
        for _ in range(per_kind):
            yield make(rng)
    rng = random.Random(f"{seed} long_run")
    for _ in range(per_kind // 20):
        yield long_run(rng)


# -- scored


@dataclass
class Score:
    """What one kind of series came to."""

    runs: int = 0
    ill: int = 0
    found: int = 0
    false: int = 0
    raised: int = 0
    missed: list[Series] = field(default_factory=list)


def judged(vitals: tuple[Vital, ...]) -> tuple[Judged, ...]:
    alarms = Alarms()
    for vital in vitals:
        alarms.see(vital)
    return alarms.judged()


def found(run: Series, alarms: tuple[Judged, ...]) -> bool:
    first, last = run.window
    return any(
        alarm.raised.kind in run.ill and first <= alarm.raised.step <= last and is_finding(alarm) for alarm in alarms
    )


def is_finding(alarm: Judged) -> bool:
    return alarm.outcome is Outcome.CONFIRMED or alarm.finding


def false_ones(run: Series, alarms: tuple[Judged, ...]) -> list[Judged]:
    """Findings of a healthy run, or before the window of an ill one."""
    return [each for each in alarms if is_finding(each) and (not run.ill or each.raised.step < run.window[0])]


def scored(runs: Iterator[Series]) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    for run in runs:
        score = scores.setdefault(run.kind, Score())
        alarms = judged(run.vitals)
        score.runs += 1
        score.raised += len(alarms)
        score.false += bool(false_ones(run, alarms))
        score.ill += bool(run.ill)
        score.found += bool(run.ill) and found(run, alarms)
        if false_ones(run, alarms) or (run.ill and not found(run, alarms)):
            score.missed.append(run)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--per-kind", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-v", action="store_true", help="the alarms of every series that falls short")
    asked = parser.parse_args()
    scores = scored(series(asked.per_kind, asked.seed))
    print(f"{'kind':28}{'runs':>6}{'ill':>6}{'found':>7}{'false':>7}{'raised a run':>14}")
    for kind, score in scores.items():
        print(f"{kind:28}{score.runs:6}{score.ill:6}{score.found:7}{score.false:7}{score.raised / score.runs:14.2f}")
        for run in score.missed if asked.v else ():
            print("   ", run.window, len(run.vitals))
            for each in judged(run.vitals):
                print("       ", each.raised.kind.value, each.raised.step, each.outcome.value, each.finding, each.told)
    totals = [sum(getattr(score, name) for score in scores.values()) for name in ("runs", "ill", "found", "false")]
    print(f"{'all':28}{totals[0]:6}{totals[1]:6}{totals[2]:7}{totals[3]:7}")


if __name__ == "__main__":
    main()
