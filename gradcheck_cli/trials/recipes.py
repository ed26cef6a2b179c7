"""Remedies that act through training: the recipes that try each of them, with the strengths that are recommended."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from gradcheck_cli.records.report import Finding
from gradcheck_cli.trials.training import STEPS, Recipe

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

THRESHOLDS = (0.1, 1.0, 10.0)
"""Clipping thresholds that are tried; practice lies between 0.25 and 10 (Pascanu, Mikolov and Bengio, 2013)."""
HORIZON = 1000
"""Steps within which a decay is to bring a weight's gain to 1, if nothing else moved it."""


@dataclass(frozen=True, kw_only=True)
class RecipeSet:
    """The recipes that try a remedy, the line that a recipe is pasted as, and what to say of the model after it."""

    recipes: tuple[Recipe, ...]
    code: Callable[[Recipe], str]
    note: Callable[[Recipe, nn.Module], str] = lambda recipe, model: ""


def _clipping(evidence: Evidence, finding: Finding, base: Recipe) -> RecipeSet:
    return RecipeSet(
        recipes=tuple(replace(base, clip=threshold) for threshold in THRESHOLDS),
        code=lambda r: f"torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm={r.clip:g})",
        note=lambda r, model: f"the best threshold of {', '.join(f'{t:g}' for t in THRESHOLDS)} is {r.clip:g}",
    )


def _weight_decay(evidence: Evidence, finding: Finding, base: Recipe) -> RecipeSet:
    strength = float(f"{math.log(_gain(evidence)) / (HORIZON * base.lr):.2g}")
    return RecipeSet(
        recipes=(replace(base, clip=1.0, decay=strength),),
        code=lambda r: f"torch.optim.AdamW(model.parameters(), lr={r.lr:g}, weight_decay={r.decay:g})  # and clip",
        note=lambda r, model: (
            f"with clipping at 1; {strength:g} x lr brings a gain of {_gain(evidence):.3g} to 1 in "
            f"{HORIZON} steps" + _radius(evidence, finding, model)
        ),
    )


def _l1(evidence: Evidence, finding: Finding, base: Recipe) -> RecipeSet:
    gain, size = _gain(evidence), _mean_size(evidence)
    strength = float(f"{size * (1 - 1 / gain) / (HORIZON * base.lr):.2g}")
    return RecipeSet(
        recipes=(replace(base, clip=1.0, l1=strength),),
        code=lambda r: f"loss = loss + {r.l1:g} * sum(p.abs().sum() for p in model.parameters())",
        note=lambda r, model: "with clipping at 1" + _radius(evidence, finding, model),
    )


def _lower_lr(evidence: Evidence, finding: Finding, base: Recipe) -> RecipeSet:
    return RecipeSet(
        recipes=(replace(base, lr=base.lr / 10), replace(base, lr=base.lr / 100)),
        code=lambda r: f"torch.optim.{base.optimizer.value.upper()}(model.parameters(), lr={r.lr:g})",
    )


def _warmup(evidence: Evidence, finding: Finding, base: Recipe) -> RecipeSet:
    return RecipeSet(
        recipes=(replace(base, warmup=True),),
        code=lambda r: f"torch.optim.lr_scheduler.LinearLR(optimizer, start_factor={1 / STEPS:g}, total_iters={STEPS})",
    )


def _gain(evidence: Evidence) -> float:
    """The largest spectral radius of a weight that is used step after step; 2 where there is none above 1."""
    radii = [p.spectral_radius for p in evidence.measurement.parameters if p.spectral_radius is not None]
    return max((r for r in radii if r > 1.01), default=2.0)


def _mean_size(evidence: Evidence) -> float:
    """RMS of the weights."""
    sizes = [p.weight_norm / math.sqrt(p.numel) for p in evidence.measurement.parameters if len(p.shape) > 1]
    return max(sizes, default=1.0) or 1.0


def _radius(evidence: Evidence, finding: Finding, model: nn.Module) -> str:
    """The spectral radius before and after, of the weight with the largest."""
    measured = [p for p in evidence.measurement.parameters if p.spectral_radius is not None]
    if not measured:
        return ""
    worst = max(measured, key=lambda p: p.spectral_radius or 0.0)
    weight = dict(model.named_parameters())[worst.names[0]].detach().double()
    after = max(float(torch.linalg.eigvals(block).abs().max()) for block in weight.split(weight.shape[1]))
    return f"; its spectral radius goes from {worst.spectral_radius:.4g} to {after:.4g}"


HABITS: Mapping[str, Callable[[Evidence, Finding, Recipe], RecipeSet]] = {
    "clipping": _clipping,
    "weight-decay": _weight_decay,
    "l1": _l1,
    "lower-lr": _lower_lr,
    "warmup": _warmup,
}
"""By remedy, what makes its habit."""
