"""Whether a part of a model takes part after `LONGER` steps: that the loss falls proves nothing, the rest does it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import torch
from torch import nn

from gradcheck_cli.records.report import Finding
from gradcheck_cli.trials.bench import Bench
from gradcheck_cli.trials.training import LONGER, Recipe

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

OPEN = 2.0
"""Decades below its peers' from which on a part's relative gradient is open (THEORY.md, section 4d)."""
KEEPS_UP = 1 / 3
"""Share of what its peers' weights move by that a part's weights move by where they keep up."""
ENOUGH = 0.1
"""Share of their size by which weights that take part move at most: peers that start at next to 0 move by far more."""
STILL = 1e-3
"""Share of their size below which weights do not move; `LONGER` steps of Adam at 1e-3 move a weight of 1 by 0.1."""


class OpeningUnknown(Exception):
    """Why training cannot tell whether a part opens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """How far a part opened.

    Attributes:
        recipe: How the copy was trained.
        start: What `behind` was before.
        behind: Decades that the relative gradient of its slowest layer lies below the typical layer's; inf without one.
        moved: What the weights of its slowest layer moved by, over their L2 norm.
        peers: The median of the same over the other layers.
    """

    recipe: Recipe
    start: float
    behind: float
    moved: float
    peers: float

    @property
    def opens(self) -> bool:
        """Whether the part takes part."""
        return self.behind <= OPEN or (self.moves and self.moved >= min(KEEPS_UP * self.peers, ENOUGH))

    @property
    def is_opening(self) -> bool:
        """Whether it is on its way: one gate opens after the other, and slow is not ill."""
        return self.start - self.behind >= OPEN

    @property
    def moves(self) -> bool:
        """Whether the other layers do."""
        return self.peers >= STILL

    @property
    def told(self) -> str:
        """The numbers, in words."""
        moved = f"{LONGER} steps of {self.recipe.name} move its weights by {self.moved:.2%}, the others' by"
        gradient = f"{self.behind:.1f} decades below theirs" if math.isfinite(self.behind) else "0"
        return f"{moved} {self.peers:.2%}, and its gradient over its weights is then {gradient}"


def opening(bench: Bench, finding: Finding, recipe: Recipe) -> Opening | None:
    """How far the part that a finding is about opens without a remedy, on a bench that keeps such copies.

    None where training does not stay finite.

    Raises:
        Unanswerable: Training cannot tell whether it opens; the message says why.
        OutOfBudget: Too few passes are left.
        Exception: Whatever the user's code raises.
    """
    evidence = bench.diagnosed.evidence
    part, peers = _modules(evidence, finding)
    paths = {evidence.layers[module].path for module in part}
    if not part or not peers:
        raise OpeningUnknown(f"no layer {'beside it' if part else 'of it'} is trained")
    start = _behind(evidence, paths)
    if start <= OPEN:
        raise OpeningUnknown("its gradient over its weights is like the others' from the start")
    bench.budget.spend(bench.cost(recipe, LONGER) + 1)
    bench.rewind()
    step = bench.untreated(recipe)
    if not math.isfinite(bench.without(recipe, LONGER)):
        return None
    after = bench.again(step).evidence
    moved = {module: _moved(evidence, module, bench.model, step.target.model) for module in (*part, *peers)}
    return Opening(
        recipe=recipe,
        start=start,
        behind=_behind(after, paths),
        moved=min(moved[module] for module in part),
        peers=median(moved[module] for module in peers),
    )


def _modules(evidence: Evidence, finding: Finding) -> tuple[list[int], list[int]]:
    """The modules of the finding's layers that are trained, and the other trainable ones."""
    named = {module for module, layer in evidence.layers.items() if layer.path in finding.layers}
    part = [m for m in named if any(p.requires_grad for p in evidence.graph.parameters_of(m))]
    return sorted(part), [module for module in evidence.trainable if module not in named]


def _behind(evidence: Evidence, paths: Iterable[str]) -> float:
    gradients = [layer.relative_gradient or 0.0 for layer in evidence.layers.values() if layer.path in paths]
    slowest, typical = min(gradients, default=0.0), evidence.typical_relative_gradient or 0.0
    return math.log10(typical / slowest) if slowest > 0 and 0 < typical < math.inf else math.inf


def _moved(evidence: Evidence, module: int, before: nn.Module, after: nn.Module) -> float:
    """|dw| / |w| over the parameters that a module owns; inf where all were 0 and one has moved."""
    was, now = (dict(model.named_parameters(remove_duplicate=False)) for model in (before, after))
    names = [p.names[0] for p in evidence.graph.parameters_of(module) if p.requires_grad]
    length = math.hypot(*(_norm(was[name]) for name in names))
    change = math.hypot(*(_norm(now[name].detach() - was[name].detach()) for name in names))
    if not length:
        return math.inf if change else 0.0
    return change / length


def _norm(tensor: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64))
