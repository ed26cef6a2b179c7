"""What synthetic runs are made of: trends, noises and gradient norms, drawn from a seed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from gradcheck_cli.records.timeline import AlarmKind, Vital


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


def trend_of(rng: random.Random, count: int) -> list[float]:
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


def noise_of(rng: random.Random, count: int) -> tuple[str, list[float]]:
    """Factors around 1."""
    size = 10 ** rng.uniform(-2, -0.4)
    kind = rng.choice(("gauss", "student", "lognormal", "bursts", "periodic", "fading", "correlated"))
    if kind == "gauss":
        return kind, [max(1 + rng.gauss(0, size), 0.02) for _ in range(count)]
    if kind == "student":
        return kind, [max(1 + size * student(rng), 0.02) for _ in range(count)]
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


def student(rng: random.Random, freedom: int = 3) -> float:
    return rng.gauss(0, 1) / math.sqrt(sum(rng.gauss(0, 1) ** 2 for _ in range(freedom)) / freedom)


def norms_of(rng: random.Random, losses: list[float]) -> list[float]:
    """Gradient norms that follow the loss by a power, with noise of their own."""
    power, size, unit = rng.uniform(0.0, 1.0), rng.uniform(0.05, 0.4), 10 ** rng.uniform(-2, 2)
    return [unit * abs(loss) ** power * math.exp(rng.gauss(0, size)) for loss in losses]


def count_of(rng: random.Random) -> int:
    return int(10 ** rng.uniform(1.8, 3.3))


def learning_run(rng: random.Random, count: int | None = None) -> Draft:
    count = count or count_of(rng)
    _, noise = noise_of(rng, count)
    losses = [level * factor for level, factor in zip(trend_of(rng, count), noise, strict=True)]
    return Draft(losses, norms_of(rng, losses))


def level_at(losses: list[float], at: int) -> float:
    near = sorted(losses[max(at - 5, 0) : at + 6])
    return near[len(near) // 2]
