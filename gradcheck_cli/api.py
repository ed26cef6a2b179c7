"""The Python API: check a model that is in memory; what it returns prints as the report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from gradcheck_cli import pipeline
from gradcheck_cli.errors import UsageError
from gradcheck_cli.names import did_you_mean, listing
from gradcheck_cli.records import report as records
from gradcheck_cli.records.choices import FailOn, Optimizer
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.reports import Style, render
from gradcheck_cli.rules import patterns

if TYPE_CHECKING:
    from torch import nn

Choice = TypeVar("Choice", Optimizer, FailOn)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report(records.Report):
    """The report of a check; `print(report)` shows its table."""

    def __str__(self) -> str:
        return render(self, "table", Style(width=100))


def check(
    model: nn.Module,
    batch: Any,
    *,
    loss: Callable[..., Any] | str | None = None,
    step: Callable[..., Any] | None = None,
    name: str | None = None,
    seed: int = 0,
    lr: float | None = None,
    optimizer: Optimizer | str = Optimizer.SGD,
    select: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    fail_on: FailOn | str = FailOn.WARNING,
    try_budget: int = 0,
) -> Report:
    """Check a model that is in memory; it comes back exactly as it was.

    Args:
        model: Any module; it stays on its device and in its modes.
        batch: (inputs, target), a dict of keyword arguments, or a tensor.
        loss: A function of (output, target), or the name of one in torch.nn.functional; guessed if None.
        step: A function of (model, batch) that returns the loss, instead of `loss`.
        name: What to call the model in the report.
        seed: Seed of the random generators, for drawing the batch and for the pass.
        lr: Learning rate, if the size of the first step is to be judged.
        optimizer: "sgd", "adam" or "adamw".
        select: Code prefixes or rule names to show, as one text or several; all if empty.
        ignore: Code prefixes or rule names to leave out.
        fail_on: Lowest severity for which `report.ok` is False.
        try_budget: Forward and backward passes that trials may take; 800 decide a suspicion and try all remedies of a
            finding, with 0 nothing is tried.

    Raises:
        UsageError: An argument is none that this takes.
        GradcheckError: The check could not be made.
    """
    spec = CheckSpec(
        model="",
        seed=_whole(seed, "seed", 0, 2**63 - 1),
        lr=None if lr is None else _positive(lr, "lr"),
        optimizer=_choice(Optimizer, optimizer, "optimizer"),
        select=patterns(select, "select"),
        ignore=patterns(ignore, "ignore"),
        fail_on=_choice(FailOn, fail_on, "fail_on"),
        try_budget=_whole(try_budget, "try_budget", 0, 10**9),
    )
    from gradcheck_cli.target import wrap_target

    started = time.perf_counter()
    target = wrap_target(model, batch, loss=loss, step=step, name=name, seed=seed)
    spec = replace(spec, model=target.name)
    report = pipeline.examine(target, spec, lambda *stage: None, started)
    return Report(**{field.name: getattr(report, field.name) for field in fields(report)})


def _choice(kind: type[Choice], value: object, name: str) -> Choice:
    choices = [member.value for member in kind]
    if value not in choices:  # a member equals its value
        close = did_you_mean(str(value), choices)
        raise UsageError(f"{name}: {value!r:.60} is none of {listing(choices)}{close}", hint="Write one of them.")
    return kind(value)


def _positive(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise UsageError(f"{name}: {value!r:.60} is not a number above 0", hint=f"Write {name}=0.001.")
    return float(value)


def _whole(value: object, name: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"{name}: {value!r:.60} is not a whole number from {low} to {high}", hint=f"Write {name}=0.")
    return value
