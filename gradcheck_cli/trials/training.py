"""A few optimiser steps on the batch, with and without a remedy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.checkpointing import eagerly
from gradcheck_cli.runtime.state import keeping, seed_everything

STEPS = 20
LONGER = 100
"""Steps that a remedy is given where it is behind after `STEPS`, and the best ones in any case: the first steps can
mislead either way."""
_KINDS: dict[Optimizer, Callable[..., torch.optim.Optimizer]] = {
    Optimizer.SGD: torch.optim.SGD,
    Optimizer.ADAM: torch.optim.Adam,
    Optimizer.ADAMW: torch.optim.AdamW,
}
_NAMES = {Optimizer.SGD: "SGD", Optimizer.ADAM: "Adam", Optimizer.ADAMW: "AdamW"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to take the steps: `clip` bounds the gradient's norm, `warmup` raises the rate from 0 over all steps.

    `decay` is decoupled: each step takes lr x decay of every weight, and lr x `l1` of its size (never past zero).
    `momentum` is SGD's.
    """

    optimizer: Optimizer
    lr: float
    momentum: float = 0.0
    clip: float = math.inf
    decay: float = 0.0
    l1: float = 0.0
    warmup: bool = False

    @property
    def name(self) -> str:
        """`Adam(0.001)`."""
        return f"{_NAMES[self.optimizer]}({self.lr:g})"


PLAIN = (Recipe(optimizer=Optimizer.ADAM, lr=1e-3), Recipe(optimizer=Optimizer.SGD, lr=1e-2, momentum=0.9))
"""What decides whether a model learns: Adam alone brings 61 of 65 healthy cases below 0.9 of chance, SGD 48, either 63
(THEORY.md, section 4d)."""


def train(
    step: Step, model: nn.Module, recipe: Recipe, steps: int = STEPS, on_step: Callable[[], None] = lambda: None
) -> float:
    """Repeat a step on `model`, which is changed, and return the mean loss of the last three; inf if any is not finite.

    `on_step` is called before each, so that somebody who waits can tell long work from a hang.

    Raises:
        Exception: Whatever the user's code raises.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = optimizer_of(recipe, parameters)
    seed_everything(step.seed)
    put_back = keeping(step.batch)  # a forward pass may write into its inputs
    losses: list[float] = []
    for taken in range(steps):
        on_step()
        put_back()
        optimizer.zero_grad()
        loss = loss_of(step, model)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            return math.inf
        loss.backward()
        if recipe.clip < math.inf:
            nn.utils.clip_grad_norm_(parameters, recipe.clip)
        rate = recipe.lr * ((taken + 1) / steps if recipe.warmup else 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        _shrink(parameters, rate * recipe.decay, rate * recipe.l1)
    return sum(losses[-3:]) / 3


def optimizer_of(recipe: Recipe, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
    """The recipe's optimiser, without any weight decay of its own."""
    return _KINDS[recipe.optimizer](parameters, lr=recipe.lr, **_options(recipe))


def loss_of(step: Step, model: nn.Module) -> Tensor:
    """The loss of a step on `model`.

    Raises:
        Exception: Whatever the user's code raises.
    """
    device = next(p.device.type for p in model.parameters() if p.requires_grad)
    with torch.autocast(device, dtype=step.autocast, enabled=step.autocast is not None):
        return eagerly(lambda: step.target.forward(model, step.batch)).loss


def _options(recipe: Recipe) -> dict[str, float]:
    options = {Optimizer.SGD: {"momentum": recipe.momentum}, Optimizer.ADAMW: {"weight_decay": 0.0}}
    return options.get(recipe.optimizer, {})


@torch.no_grad()
def _shrink(parameters: Iterable[Tensor], share: float, amount: float) -> None:
    for parameter in parameters:
        if share:
            parameter.mul_(1 - share)
        if amount:
            parameter.copy_(parameter.sign() * (parameter.abs() - amount).clamp(min=0))
