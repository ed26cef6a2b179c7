"""What a labelled model is, and the two decorators that register one.

A build function returns `(model, batch, step)`, with `step(model, batch)` a scalar loss; whoever calls
it seeds torch with 0 first. Its keyword parameters, if any, default to the labelled model; other values
give the twin that a proof compares with: `@ill(..., proof=learns_less(act=nn.ReLU))`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as made_by
from typing import Any

import torch
from torch import nn

Step = Callable[[nn.Module, Any], torch.Tensor]
Built = tuple[nn.Module, Any, Step]
Build = Callable[..., Built]
# A proof takes the case and returns its evidence in one line, or raises NotProven.
Proof = Callable[["Case"], str]

REGISTRY: dict[str, "Case"] = {}


class NotProven(AssertionError):
    """Plain PyTorch does not bear the label out."""


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    status: str  # "ill" or "healthy"
    field: str  # vision, text, tabular, audio, graph, rl, generative, timeseries, physics, ...
    build: Build
    proof: Proof | str  # a str argues by closed form what no training run can show
    family: str | None = None  # of an ill case: vanishing, exploding, no-gradient, nonfinite
    causes: tuple[str, ...] = ()  # acceptable causes, the best first
    options: Mapping[str, Any] = made_by(default_factory=dict, compare=False)  # of `check`, such as lr
    tricky: str = ""  # of a healthy case: why a naive rule would fire

    @property
    def doc(self) -> str:
        return (self.build.__doc__ or "").strip()

    def make(self, **twin: Any) -> Built:
        """The model, or with keyword arguments its twin, from a fixed seed."""
        torch.manual_seed(0)
        return self.build(**twin)


def ill(
    *, family: str, causes: tuple[str, ...], field: str, proof: Proof | str, **options: Any
) -> Callable[[Build], Build]:
    """Register a build function as an ill model; further keywords are options of the check, such as lr."""

    def register(build: Build) -> Build:
        _add(build, status="ill", family=family, causes=causes, field=field, proof=proof, options=options)
        return build

    return register


def healthy(*, field: str, tricky: str, proof: Proof | str | None = None, **options: Any) -> Callable[[Build], Build]:
    """Register a build function as a healthy model, likewise; unless told otherwise, training proves it."""

    def register(build: Build) -> Build:
        from tests.corpus.trained import trains

        _add(build, status="healthy", field=field, proof=proof or trains(), tricky=tricky, options=options)
        return build

    return register


def _add(build: Build, **label: Any) -> None:
    name = build.__name__
    if name in REGISTRY:
        raise ValueError(f"two corpus cases are called {name}")
    REGISTRY[name] = Case(name=name, build=build, **label)
