"""Proofs, in plain PyTorch, of faults that a loss that stays high does not show."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from tests.corpus.case import Built, Case, Proof
from tests.corpus.provers import Recipe, gradients, require, train

_RECIPE = Recipe("adam", 1e-2)


def hides_nonfinite(**cure: Any) -> Proof:
    """A module puts out NaN or Inf, and the loss and all gradients are finite; the cured twin's modules never do."""

    def bad(case: Case, **twin: Any) -> list[str]:
        model, batch, step = case.make(**twin)
        names: list[str] = []

        def look(module: Any, given: Any, out: Tensor, name: str) -> None:
            names.extend([] if bool(out.isfinite().all()) else [name])

        for name, module in model.named_modules():
            module.register_forward_hook(lambda m, i, o, name=name: look(m, i, o, name))
        loss, grads = gradients((model, batch, step))
        require(math.isfinite(loss) and all(bool(g.isfinite().all()) for g in grads.values() if g is not None), "shows")
        return names

    def prove(case: Case) -> str:
        sick, well = bad(case), bad(case, **cure)
        return require(bool(sick) and not well, f"not finite, and nothing shows it: {sick}; cured {well}")

    return prove


def has_no_floor(**cure: Any) -> Proof:
    """Training takes the loss far below zero, which the cured twin's never is; it learns in a bounded way."""

    def prove(case: Case) -> str:
        sick, well = train(case.make(), _RECIPE), train(case.make(**cure), _RECIPE)
        evidence = f"{_RECIPE}: loss {sick.first:.3g} -> {sick.last:.3g}; cured {well.first:.3g} -> {well.last:.3g}"
        return require(sick.last < -10 and 0 <= well.last < 0.7 * well.first, evidence)

    return prove


def names_no_class(**cure: Any) -> Proof:
    """Trained, the largest output is seldom the class of the sample; the cured twin's mostly is."""

    def accuracy(case: Case, **twin: Any) -> float:
        built = case.make(**twin)
        train(built, _RECIPE)
        model, (x, y), _ = built
        return float((model(x).argmax(-1) == y.flatten()).float().mean())

    def prove(case: Case) -> str:
        sick, well = accuracy(case), accuracy(case, **cure)
        return require(sick < 0.5 and well > 0.9, f"{sick:.0%} of the classes right after training, cured {well:.0%}")

    return prove


def recipe_of(case: Case, steps: int = 150) -> Recipe:
    """The optimiser and the rate that the check is given."""
    return Recipe(case.options.get("optimizer", "sgd"), case.options["lr"], steps)


def rate_fails(lr: float, factor: float = 3.0, **cure: Any) -> Proof:
    """At the rate that is checked the same training ends at a loss that many times above that at a sane one, or NaN."""

    def prove(case: Case) -> str:
        asked = recipe_of(case)
        sane = Recipe(asked.optimizer, lr, asked.steps)
        sick, well = train(case.make(), asked), train(case.make(**cure), sane)
        evidence = f"{asked}: {sick.first:.3g} -> {sick.last:.3g}; {sane}: {well.first:.3g} -> {well.last:.3g}"
        return require(well.last < 0.7 * well.first and well.last * factor <= sick.last, evidence)

    return prove


def flushes(share: float, **cure: Any) -> Proof:
    """That share of the gradient's elements, or more, is exactly 0, and not in the cured twin."""

    def zeros(built: Built) -> float:
        _, grads = gradients(built)
        every = torch.cat([g.flatten() for g in grads.values() if g is not None])
        return float((every == 0).float().mean())

    def prove(case: Case) -> str:
        sick, well = zeros(case.make()), zeros(case.make(**cure))
        return require(sick >= share and well < share / 10, f"{sick:.0%} of the gradient is 0; cured {well:.1%}")

    return prove


def overflows_at(times: float, **cure: Any) -> Proof:
    """The gradients are finite, those of a loss that many times as large are not; the cured twin's are."""

    def finite(built: Built, scale: float) -> bool:
        model, batch, step = built
        _, grads = gradients((model, batch, lambda m, b: step(m, b) * scale))
        return all(bool(g.isfinite().all()) for g in grads.values() if g is not None)

    def prove(case: Case) -> str:
        now, larger, well = finite(case.make(), 1), finite(case.make(), times), finite(case.make(**cure), times)
        return require(now and not larger and well, f"finite: {now}, {times:g} times as large {larger}, cured {well}")

    return prove


def is_linear(**cure: Any) -> Proof:
    """On its batch the model is, to rounding, a linear map of its inputs, and the cured twin is not."""

    def bend(case: Case, **twin: Any) -> float:
        model, (x, _), _ = case.make(**twin)
        out = model(x).detach().double()
        lines = torch.cat([x.double(), torch.ones(len(x), 1).double()], 1)
        rest = out - lines @ torch.linalg.lstsq(lines, out).solution
        return float(rest.norm() / (out - out.mean(0)).norm())

    def prove(case: Case) -> str:
        sick, well = bend(case), bend(case, **cure)
        return require(sick < 1e-4 and well > 1e-2, f"{sick:.2g} of the output is no linear map; cured {well:.2g}")

    return prove
