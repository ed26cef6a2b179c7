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
    moved: dict[str, float]  # relative change of every parameter


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
    moved = {
        name: float((p.detach() - start[name]).norm() / start[name].norm().clamp_min(1e-12))
        for name, p in model.named_parameters()
    }
    return Run(
        recipe=recipe,
        first=losses[0],
        last=sum(tail) / len(tail) if finite else math.inf,
        peak=max(losses) if finite else math.inf,
        moved=moved,
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
