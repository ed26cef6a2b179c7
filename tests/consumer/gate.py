"""All of the public API, used as another project's test suite would; `mypy --strict` reads it with the package."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import gradcheck_cli
from gradcheck_cli import (
    ConfigError,
    Finding,
    GradcheckError,
    InternalError,
    Layer,
    ProbeError,
    Remedy,
    Report,
    ReportError,
    Severity,
    StateError,
    Status,
    TargetError,
    Trial,
    UsageError,
    UserCodeError,
    check,
    load_report,
    render,
)

MISTAKES_OF_OURS = (UsageError, ConfigError, TargetError, UserCodeError)
NOTHING_TO_SEE = (ProbeError, ReportError, StateError, InternalError)


def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """A loss."""
    x, y = batch
    return nn.functional.mse_loss(model(x), y)


def checked(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Report:
    """With every argument."""
    return check(
        model,
        batch,
        step=step,
        name="gate",
        device=torch.device("cpu"),
        autocast=torch.bfloat16,
        batches=1,
        seed=1,
        lr=1e-3,
        optimizer="adam",
        select=("GC2", "GC3"),
        ignore={"GC211": {"layers": ["stem*"], "reason": "cancels by design"}},
        fail_on="error",
        thresholds={"GC206": {"saturated_share": 0.99}},
        try_budget=0,
    )


def worst(report: Report) -> Finding | None:
    """The first finding that is no note."""
    return next((each for each in report.findings if each.severity is not Severity.NOTE), None)


def slowest(report: Report) -> Layer:
    """The layer with the least gradient for its weights."""
    return min(report.layers, key=lambda layer: layer.relative_gradient or 0.0)


def cure(finding: Finding) -> tuple[Remedy, Trial] | None:
    """The first remedy, and what came of trying it."""
    return next(((remedy, remedy.trial) for remedy in finding.remedies), None)


def gate(model: nn.Module, batch: tuple[Tensor, Tensor], folder: Path) -> str:
    """What a test would do: check, save, read again, and say what is ill."""
    try:
        report = checked(model, batch)
    except MISTAKES_OF_OURS as error:
        return f"{error.message} ({error.hint})"
    except GradcheckError as error:
        return f"exit {error.exit_code}, nothing to see: {isinstance(error, NOTHING_TO_SEE)}"
    path = folder / "report.json"
    path.write_text(render(report, "json", verbose=True), encoding="utf-8")
    again = load_report(path)
    if again.status is Status.HEALTHY and again.ok:
        return f"well, by {gradcheck_cli.__version__}"
    found = worst(again)
    return "no finding" if found is None else f"{found.code} {found.cause} {slowest(again).path} {cure(found)}"
