"""The Python API: check a model that is in memory; what it returns prints as the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gradcheck_cli import pipeline
from gradcheck_cli.records import report as records
from gradcheck_cli.records.choices import FailOn, Optimizer
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.reports import Style, render

if TYPE_CHECKING:
    from torch import nn


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
    select: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    fail_on: FailOn | str = FailOn.WARNING,
    try_budget: float = 0.0,
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
        select: Code prefixes or rule names to show; all if empty.
        ignore: Code prefixes or rule names to leave out.
        fail_on: Lowest severity for which `report.ok` is False.
        try_budget: Seconds within which trials of remedies are begun; none with 0.

    Raises:
        GradcheckError: The check could not be made.
    """
    from gradcheck_cli.target import wrap_target

    started = time.perf_counter()
    target = wrap_target(model, batch, loss=loss, step=step, name=name, seed=seed)
    spec = CheckSpec(
        model=target.name,
        seed=seed,
        lr=lr,
        optimizer=Optimizer(optimizer),
        select=select,
        ignore=ignore,
        fail_on=FailOn(fail_on),
        try_budget=try_budget,
    )
    report = pipeline.examine(target, spec, lambda *stage: None, started)
    return Report(**{field.name: getattr(report, field.name) for field in fields(report)})
