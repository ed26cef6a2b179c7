"""What is known of a model when remedies for a finding are planned, and what a plan is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import nn

from gradcheck_cli.records.ops import WEIGHTED_CALLS
from gradcheck_cli.records.report import Finding
from gradcheck_cli.trials import edits
from gradcheck_cli.trials.edits import Place
from gradcheck_cli.trials.torchcalls import NothingToActOn, NotTriable, TorchCall

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One call of a function of `edits` on a model, with literal arguments."""

    function: Callable[..., None]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, model: nn.Module) -> None:
        """Edit the model in place."""
        self.function(model, **self.arguments)

    @property
    def changes(self) -> str:
        """What the edit does to the model, in a few words."""
        if self.function is edits.initialise and not self.arguments["deviations"]:
            return "sets biases to zero"
        return _CHANGES.get(self.function.__name__, "changes what the model computes")


_CHANGES = {
    "initialise": "draws new weights",
    "orthogonalise": "draws new weights",
    "open_gates": "sets biases",
    "standardise_inputs": "scales the inputs",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How a remedy is tried.

    Attributes:
        edits: What is done to the model.
        targets: Where the batch holds the targets, if they are standardised.
        loss_scale: What the loss is multiplied by.
        precision: "float32" or "bfloat16" in place of the low precision of the check.
    """

    edits: tuple[Edit, ...] = ()
    targets: int | str | None = None
    loss_scale: float = 1.0
    precision: str = ""


@dataclass(frozen=True, kw_only=True)
class PlanningContext:
    """What is known of a model when remedies for a finding are planned."""

    model: nn.Module
    batch: Any
    finding: Finding
    evidence: Evidence
    calls: tuple[TorchCall, ...]
    seed: int

    @cached_property
    def free(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the parameters that are trained, by name; what is frozen is not to be changed."""
        return {name: tuple(p.shape) for name, p in self.model.named_parameters() if p.requires_grad}

    def activations(self, names: Iterable[str]) -> list[TorchCall]:
        """Calls of these activations between two weights, which are no gates."""
        names = frozenset(names)
        found = [c for c in self.calls if c.name in names and not self.evidence.graph.gates(c.op)]
        return [c for c in found if self.evidence.is_hidden(c.op)]

    def weighted(self) -> list[TorchCall]:
        """Calls that multiply by a parameter of the model."""
        return [c for c in self.calls if c.name in WEIGHTED_CALLS and c.parameters]

    def hidden(self) -> list[TorchCall]:
        """Weighted calls with another weight between them and the loss."""
        return [c for c in self.weighted() if self.evidence.is_hidden(c.op)]

    def places(self, calls: Sequence[TorchCall]) -> set[Place]:
        """The places of `calls`, with None for a function whose every call in a module is among them."""
        chosen = {c.place for c in calls}
        left = {c.place[:2] for c in self.calls if c.place not in chosen}
        return {place if place[:2] in left else (*place[:2], None) for place in chosen}

    def swap(self, calls: Sequence[TorchCall], to: str) -> Edit:
        """The edit that calls another activation in their place."""
        return Edit(function=edits.swap_activations, arguments={"places": self.places(calls), "to": to})


def some(found: Any, why: str, error: type[NotTriable] = NothingToActOn) -> Any:
    """`found`, if it holds anything.

    Raises:
        NotTriable: It is empty, as an `error`; `why` says what that means.
    """
    if not found:
        raise error(why)
    return found
