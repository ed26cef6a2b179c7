"""Proofs of a label in plain PyTorch. None of them knows the tool.

Each function here makes a proof: a function from the case to one line of evidence, which raises
NotProven where the evidence does not carry the label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tests.corpus.case import Built, Case, NotProven, Proof


@dataclass(frozen=True)
class Recipe:
    """A sane, standard way to train."""

    optimizer: str
    lr: float
    steps: int = 150

    def __str__(self) -> str:
        return f"{self.optimizer} {self.lr:g}"

    def make(self, model: nn.Module) -> torch.optim.Optimizer:
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[self.optimizer]
        return kind([p for p in model.parameters() if p.requires_grad], lr=self.lr)


SGD = (Recipe("sgd", 0.1), Recipe("sgd", 0.01), Recipe("sgd", 0.001))
ADAM = (Recipe("adam", 1e-3),)
SANE = SGD + ADAM


@dataclass(frozen=True)
class Run:
    """What a training run left behind."""

    recipe: Recipe
    first: float
    last: float  # mean loss of the last steps; inf where it went non-finite
    peak: float
    start: dict[str, float]  # norm of every parameter at the start
    change: dict[str, float]  # norm of its change

    @property
    def moved(self) -> dict[str, float]:
        """Relative change of every parameter."""
        return {name: change / max(self.start[name], 1e-12) for name, change in self.change.items()}

    def moved_under(self, layer: str) -> float:
        """Relative change of the parameters under a name, taken together."""
        names = under(layer, self.start)
        return math.hypot(*(self.change[n] for n in names)) / math.hypot(*(self.start[n] for n in names))


def train(built: Built, recipe: Recipe) -> Run:
    """Train on the one batch and report how it went."""
    model, batch, step = built
    optimizer = recipe.make(model)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    losses: list[float] = []
    for _ in range(recipe.steps):
        optimizer.zero_grad()
        loss = step(model, batch)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            break
        if loss.requires_grad:
            loss.backward()
            optimizer.step()
    finite = all(math.isfinite(value) for value in losses)
    tail = losses[-max(1, len(losses) // 20) :]
    return Run(
        recipe=recipe,
        first=losses[0],
        last=sum(tail) / len(tail) if finite else math.inf,
        peak=max(losses) if finite else math.inf,
        start={name: float(value.norm()) for name, value in start.items()},
        change={name: float((p.detach() - start[name]).norm()) for name, p in model.named_parameters()},
    )


def best(case: Case, recipes: tuple[Recipe, ...], **twin: Any) -> Run:
    """The run that ends lowest over the recipes."""
    return min((train(case.make(**twin), recipe) for recipe in recipes), key=lambda run: run.last)


def gradients(built: Built) -> tuple[float, dict[str, torch.Tensor | None]]:
    """The loss and every parameter's gradient after one backward pass."""
    model, batch, step = built
    loss = step(model, batch)
    if loss.requires_grad:
        loss.backward()
    return float(loss.detach()), {name: p.grad for name, p in model.named_parameters()}


def require(fact: bool, evidence: str) -> str:
    if not fact:
        raise NotProven(evidence)
    return evidence


def under(layer: str, names: Any) -> list[str]:
    found = [name for name in names if name == layer or name.startswith(layer + ".") or not layer]
    if not found:
        raise NotProven(f"no parameter under {layer!r}")
    return found


def learns(to: float = 0.5, recipes: tuple[Recipe, ...] = (*ADAM, Recipe("adam", 1e-2), *SGD)) -> Proof:
    """The loss falls to a fraction of its start under some sane recipe."""

    def prove(case: Case) -> str:
        for recipe in recipes:
            run = train(case.make(), recipe)
            if run.last <= to * run.first:
                break
        return require(run.last <= to * run.first, f"{run.recipe}: loss {run.first:.4g} -> {run.last:.4g}")

    return prove


def learns_less(factor: float = 3.0, recipes: tuple[Recipe, ...] = SANE, **cure: Any) -> Proof:
    """The best sane training ends at a loss that many times above the cured twin's, which does learn."""

    def prove(case: Case) -> str:
        sick, well = best(case, recipes), best(case, recipes, **cure)
        evidence = f"best loss {sick.last:.3g} ({sick.recipe}); cured {well.first:.3g} -> {well.last:.3g}"
        return require(well.last < 0.7 * well.first and well.last * factor <= sick.last, evidence)

    return prove


def stays_at_chance(share: float = 0.9, recipes: tuple[Recipe, ...] = SANE) -> Proof:
    """No sane training brings the loss below that share of its start."""

    def prove(case: Case) -> str:
        run = best(case, recipes)
        return require(run.last >= share * run.first, f"best of {len(recipes)}: {run.first:.4g} -> {run.last:.4g}")

    return prove


def moves_less(layer: str, factor: float = 1e3, recipe: Recipe = Recipe("sgd", 0.01), **cure: Any) -> Proof:
    """In the same training the layer changes that many times less, relatively, than in the cured twin."""

    def moved(case: Case, **twin: Any) -> float:
        return train(case.make(**twin), recipe).moved_under(layer)

    def prove(case: Case) -> str:
        sick, well = moved(case), moved(case, **cure)
        return require(sick * factor <= well, f"{layer} changes by {sick:.2g} of itself; cured {well:.2g}")

    return prove


def lags(layer: str, behind: str, factor: float = 1e3, recipe: Recipe = Recipe("sgd", 0.01)) -> Proof:
    """The layer changes that many times less, relatively, than another layer of the same model."""

    def prove(case: Case) -> str:
        run = train(case.make(), recipe)
        slow, fast = run.moved_under(layer), run.moved_under(behind)
        return require(slow * factor <= fast, f"{layer} changes by {slow:.2g} of itself, {behind} by {fast:.2g}")

    return prove


def forgets(below: float = 1e-4) -> Proof:
    """The gradient at the first time step's input is that share of the largest one's over time."""

    def prove(case: Case) -> str:
        model, (x, *rest), step = case.make()
        x = x.detach().clone().requires_grad_()
        step(model, (x, *rest)).backward()
        steps = x.grad.double().transpose(0, 1).flatten(1).norm(dim=1)
        share = float(steps[0] / steps.max())
        return require(share <= below, f"gradient at the first of {len(steps)} steps: {share:.2g} of the largest")

    return prove


def diverges(recipe: Recipe = Recipe("sgd", 0.01), **cure: Any) -> Proof:
    """From a finite start SGD at a usual rate blows the loss up; the cured twin goes down with it."""

    def prove(case: Case) -> str:
        loss, grads = gradients(case.make())
        finite = math.isfinite(loss) and all(bool(g.isfinite().all()) for g in grads.values() if g is not None)
        sick, well = train(case.make(), recipe), train(case.make(**cure), recipe)
        evidence = (
            f"{recipe}: {sick.first:.3g}, peak {sick.peak:.3g}, end {sick.last:.3g}; "
            f"cured {well.first:.3g} -> {well.last:.3g}"
        )
        blown = not math.isfinite(sick.last) or sick.peak > 10 * sick.first
        return require(finite and blown and well.last < well.first, evidence if finite else "not finite from the start")

    return prove


def no_gradient(*layers: str, **cure: Any) -> Proof:
    """Every parameter of the layers has gradient None or exactly 0; the cured twin's get one."""

    def alive(grads: dict[str, torch.Tensor | None], layer: str) -> bool:
        return any(grads[name] is not None and bool(grads[name].any()) for name in under(layer, grads))

    def prove(case: Case) -> str:
        _, sick = gradients(case.make())
        reached = [layer for layer in layers if alive(sick, layer)]
        require(not reached, f"gets a gradient: {reached}")
        if cure:
            _, well = gradients(case.make(**cure))
            missed = [layer for layer in layers if not alive(well, layer)]
            require(not missed, f"no gradient in the cured twin either: {missed}")
        return f"{', '.join(layers) or 'whole model'}: exactly no gradient" + ", cured has one" * bool(cure)

    return prove


def nonfinite(**cure: Any) -> Proof:
    """The loss or a gradient is nan or inf; the cured twin has neither."""

    def bad(built: Built) -> list[str]:
        loss, grads = gradients(built)
        names = [name for name, grad in grads.items() if grad is not None and not grad.isfinite().all()]
        return ([] if math.isfinite(loss) else [f"loss {loss}"]) + names

    def prove(case: Case) -> str:
        sick, well = bad(case.make()), bad(case.make(**cure)) if cure else []
        return require(bool(sick) and not well, f"not finite: {', '.join(sick[:3])} ({len(sick)}); cured {well}")

    return prove


def all_of(*proofs: Proof) -> Proof:
    """Each of the proofs holds."""

    def prove(case: Case) -> str:
        return "; ".join(proof(case) for proof in proofs)

    return prove
