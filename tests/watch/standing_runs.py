"""Synthetic runs with their samples, from a seed: what stands at chance, for a reason or for none, and what does not.

Each is a course of the loss over Lm, and of what is read beside it; none knows how the alarms work.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Judged, Vital
from gradcheck_cli.watch.alarms import Alarms

Course = Callable[[float], float]
"""From the share of the run that is over to a number."""


@dataclass(frozen=True, kw_only=True)
class Stood:
    """One run, and what it should come to.

    Attributes:
        ratio: The loss over Lm.
        update: |dw| / |w|.
        swing: How often an update raises the loss of its own batch.
        dead: Share of dead units in a layer.
        undropped: The loss over Lm with dropout off.
        ill: The alarm that has to be confirmed, and its cause; None for a run that is well.
    """

    kind: str
    updates: int
    ratio: Course
    update: Course = lambda at: 1e-3
    swing: float = 0.05
    dead: Course = lambda at: 0.2
    saturated: Course = lambda at: 0.1
    weight: Course = lambda at: 1.0
    decay: Course | None = None
    undropped: Course | None = None
    noise: float = 0.02
    level: float = 1.0
    norm: float = 0.5
    game: bool = False
    negative: bool = False
    ill: tuple[AlarmKind, str] | None = None
    every: int | None = None
    extra: dict[str, float] = field(default_factory=dict)


def fed(run: Stood, rng: random.Random) -> tuple[Judged, ...]:
    """The run as the alarms judge it at its end."""
    alarms, following, step = Alarms(), 16, 0
    for own in range(1, run.updates + 1):
        at = own / run.updates
        for player in range(1 + run.game):
            step += 1
            batch = run.level * math.exp(rng.gauss(0, 0.1))  # Lm of this batch
            loss = batch * run.ratio(at) * math.exp(rng.gauss(0, run.noise)) * (1 + player)
            if run.negative and rng.random() < 0.3:
                loss = -loss
            norm = run.norm * math.exp(rng.gauss(0, 0.2))
            alarms.see(Vital(step=step, optimizer=player, optimizer_step=own, loss=loss, grad_norm=norm))
            if own == following or (run.every and own % run.every == 0):
                alarms.sampled(sampled(run, rng, step, player, at, loss, batch * (1 + player)))
        following = 2 * own if own == following else following
    return alarms.judged()


def sampled(run: Stood, rng: random.Random, step: int, player: int, at: float, loss: float, chance: float) -> Sample:
    raises = rng.random() < run.swing
    return Sample(
        step=step,
        optimizer=player,
        loss=loss,
        after=loss * (1 + rng.uniform(0.02, 0.5)) if raises else loss * (1 - run.update(at) * rng.uniform(0.01, 1)),
        chance=chance,
        update=run.update(at),
        weight=run.weight(at),
        decay=run.decay(at) if run.decay else None,
        undropped=chance * run.undropped(at) if run.undropped else None,
        dead={"1": run.dead(at)},
        saturated={"3": run.saturated(at)},
    )


def constant(value: float) -> Course:
    return lambda at: value


def drop(wait: float, width: float, end: float) -> Course:
    """At chance until `wait`, then down to `end`."""
    return lambda at: end + (1 - end) / (1 + math.exp(min((at - wait) / width, 700)))


def count(rng: random.Random, least: int = 100) -> int:
    return int(10 ** rng.uniform(math.log10(least), 3))


def well(rng: random.Random) -> Iterator[Stood]:
    """One of each kind that is well, or of which nothing is known."""
    end = rng.uniform(0.05, 0.8)
    small = constant(1e-7)
    yield Stood(kind="learns", updates=count(rng), ratio=lambda at: end + (1 - end) * math.exp(-6 * at))
    yield Stood(kind="plateau, then a drop", updates=count(rng), ratio=drop(rng.uniform(0.2, 0.9), 0.02, end))
    yield Stood(kind="ended on a plateau", updates=count(rng), ratio=constant(rng.uniform(0.99, 1.05)))
    yield Stood(
        kind="weak signal", updates=count(rng), ratio=constant(rng.uniform(0.93, 1.02)), every=rng.choice((None, 5))
    )
    yield Stood(
        kind="converged to nothing", updates=count(rng), ratio=lambda at: 10 ** (-12 * min(3 * at, 1)), update=small
    )
    yield Stood(
        kind="a target that moves",
        updates=count(rng),
        ratio=lambda at: rng.uniform(1.4, 4),
        swing=rng.uniform(0.2, 0.6),
        noise=0.5,
        every=rng.choice((None, 3)),
    )
    yield Stood(
        kind="a target that moves, learned at first",
        updates=count(rng),
        ratio=lambda at: 0.4 if at < 0.3 else rng.uniform(0.8, 3),
        swing=0.4,
        noise=0.3,
        every=3,
    )
    yield Stood(kind="rewards", updates=count(rng), ratio=constant(1.0), negative=True, noise=1.0, swing=0.5, every=3)
    yield Stood(kind="one batch by heart", updates=count(rng), ratio=lambda at: math.exp(-20 * at), noise=0.0)
    yield Stood(
        kind="slow, but learns", updates=count(rng, 300), ratio=lambda at: 1.05 - 0.5 * at, update=constant(2e-5)
    )
    yield Stood(
        kind="lr 0 at the end on purpose", updates=count(rng), ratio=constant(1.0), update=lambda at: 1e-3 * (1 - at)
    )
    yield Stood(
        kind="long warm-up", updates=count(rng, 400), ratio=drop(0.7, 0.05, end), update=lambda at: 1e-9 + 1e-3 * at**6
    )
    yield Stood(kind="fine-tuned, good at once", updates=count(rng), ratio=constant(0.3), update=constant(1e-6))
    yield Stood(kind="two players", updates=count(rng), ratio=constant(1.0), game=True, swing=0.5, every=3)
    yield Stood(
        kind="many dead, and learns", updates=count(rng), ratio=drop(0.3, 0.05, end), dead=lambda at: 0.2 + 0.78 * at
    )
    yield Stood(
        kind="decays, and learns",
        updates=count(rng),
        ratio=drop(0.3, 0.05, end),
        weight=lambda at: 1 - 0.8 * at,
        decay=constant(2.0),
    )
    yield Stood(
        kind="no signal, and weights that shrink late",
        updates=count(rng, 200),
        ratio=constant(1.0),
        weight=lambda at: 1 - 0.8 * at,
        decay=lambda at: 0.2 + 3 * at,
    )
    yield Stood(
        kind="heavy dropout that hides what is learned",
        updates=count(rng, 200),
        ratio=constant(1.0),
        update=small,
        undropped=lambda at: 1.0 if at < 0.05 else 0.4,
    )
    yield Stood(
        kind="an LSTM that swings and learns", updates=count(rng), ratio=drop(0.2, 0.1, 0.3), swing=0.45, every=3
    )
    yield Stood(kind="from far above", updates=count(rng), ratio=lambda at: 1 + 1e3 * math.exp(-12 * at), swing=0.0)


def ill(rng: random.Random) -> Iterator[Stood]:
    """One of each kind that is ill."""
    tiny = 10 ** rng.uniform(-9, -5.1)
    yield Stood(
        kind="a step too small",
        updates=count(rng, 120),
        ratio=constant(rng.uniform(0.99, 1.4)),
        update=constant(tiny),
        swing=0.0,
        ill=(AlarmKind.STUCK, "lr-too-low"),
    )
    yield Stood(
        kind="a step too small, with dropout",
        updates=count(rng, 120),
        ratio=constant(rng.uniform(0.99, 1.4)),
        update=constant(tiny),
        swing=0.0,
        undropped=constant(rng.uniform(0.9, 1.0)),
        ill=(AlarmKind.STUCK, "lr-too-low"),
    )
    yield Stood(
        kind="no gradient",
        updates=count(rng, 30),
        ratio=constant(1.0),
        norm=0.0,
        ill=(AlarmKind.STUCK, "update-moves-nothing"),
    )
    yield Stood(
        kind="swings",
        updates=count(rng, 200),
        ratio=lambda at: 10 ** rng.uniform(1.3, 2.0),
        swing=rng.uniform(0.5, 0.7),
        every=4,
        ill=(AlarmKind.SWINGING, "lr-too-high"),
    )
    learned = rng.uniform(0.3, 0.5)
    yield Stood(
        kind="collapses slowly",
        updates=1000,
        ratio=lambda at: 0.3 if at < learned else min(0.3 + 4 * (at - learned), 1.0),
        noise=0.01,
        every=10,
        ill=(AlarmKind.COLLAPSE, "collapse"),
    )
    yield Stood(
        kind="dies",
        updates=count(rng, 350),
        ratio=constant(1.0),
        dead=lambda at: 1.0 if at > 0.06 else 0.3,
        ill=(AlarmKind.DEAD_GROWING, "dead-relu"),
    )
    yield Stood(
        kind="saturates",
        updates=count(rng, 350),
        ratio=constant(1.0),
        saturated=lambda at: 0.99 if at > 0.06 else 0.3,
        ill=(AlarmKind.SATURATING, "saturating-activation"),
    )
    yield Stood(
        kind="weight decay wins",
        updates=count(rng, 200),
        ratio=constant(1.0),
        weight=lambda at: math.exp(-20 * at),
        decay=constant(3.0),
        ill=(AlarmKind.STUCK, "weight-decay"),
    )
    yield Stood(
        kind="weight decay has won, and noise holds what is left",
        updates=count(rng, 200),
        ratio=constant(1.0),
        weight=lambda at: 0.01 + math.exp(-20 * at),
        decay=lambda at: 0.2 + 16 * math.exp(-12 * at),
        ill=(AlarmKind.STUCK, "weight-decay"),
    )
