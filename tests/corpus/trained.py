"""Proofs that a model is healthy, in plain PyTorch: it trains, all of it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from tests.corpus.case import Case, NotProven, Proof
from tests.corpus.provers import Recipe, Run, train

ADAM = tuple(Recipe("adam", lr, 200) for lr in (1e-3, 3e-3, 1e-2))
COMMON = (*ADAM, Recipe("sgd", 0.1, 200))
MOVED = 1e-3  # a layer that learned has changed by more than this, relative to its start


def trains(
    to: float = 0.7, *, floor: float = 0.0, still: tuple[str, ...] = (), recipes: tuple[Recipe, ...] = COMMON
) -> Proof:
    """The loss above its known floor falls to a fraction, and every layer not named in `still` moves.

    `floor` is the least loss that the data allow (an entropy, a constant offset).
    """

    def prove(case: Case) -> str:
        return _first(case, recipes, lambda run: run.last - floor <= to * (run.first - floor), still)

    return prove


def falls(by: float, *, still: tuple[str, ...] = (), recipes: tuple[Recipe, ...] = COMMON) -> Proof:
    """The loss, which may be negative or near zero, falls by an amount, and every layer moves."""

    def prove(case: Case) -> str:
        return _first(case, recipes, lambda run: run.last <= run.first - by, still)

    return prove


def relearns(noise: float = 1.0, to: float = 0.5, *, recipes: tuple[Recipe, ...] = COMMON) -> Proof:
    """The model is at its optimum: noise on every weight raises the loss, training takes that back.

    `noise` is relative to each parameter's RMS. The excess over the optimum must be a tenth of the
    loss or more, then fall to the fraction `to`, and every layer must move meanwhile.
    """

    def prove(case: Case) -> str:
        model, batch, step = case.make()
        optimum = float(step(model, batch).detach())
        lines = []
        for recipe in recipes:
            built = case.make()
            _shake(built[0], noise)
            run = train(built, recipe)
            lazy = _lazy(built[0], run, ())
            lines.append(f"optimum {optimum:.3g}, shaken, {_told(run)}" + (f", unmoved: {lazy}" if lazy else ""))
            excess = run.first - optimum
            if excess > 0.1 * abs(optimum) and run.last - optimum <= to * excess and not lazy:
                return lines[-1]
        raise NotProven(" | ".join(lines))

    return prove


def _first(case: Case, recipes: tuple[Recipe, ...], fell: Any, still: tuple[str, ...]) -> str:
    """The evidence of the first recipe under which the loss fell and every layer moved."""
    lines = []
    for recipe in recipes:
        built = case.make()
        run = train(built, recipe)
        lazy = _lazy(built[0], run, still)
        lines.append(_told(run) + (f", unmoved: {lazy}" if lazy else ""))
        if math.isfinite(run.last) and fell(run) and not lazy:
            return lines[-1]
    raise NotProven(" | ".join(lines))


def _told(run: Run) -> str:
    return f"{run.recipe}: loss {run.first:.4g} -> {run.last:.4g}"


def _lazy(model: nn.Module, run: Run, still: tuple[str, ...]) -> list[str]:
    """Layers whose trainable parameters did not move, taken together, less those named in `still`."""
    layers: dict[str, list[str]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not name.startswith(still or ("\0",)):
            layers.setdefault(name.rpartition(".")[0], []).append(name)
    return [
        layer
        for layer, names in layers.items()
        if math.hypot(*(run.change[n] for n in names)) <= MOVED * math.hypot(*(run.start[n] for n in names))
    ]


def _shake(model: nn.Module, noise: float) -> None:
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += noise * p.square().mean().sqrt() * torch.randn_like(p)
