"""The Python API: check a model that is in memory; what it returns shows itself as the report."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gradcheck_cli import pipeline, reports
from gradcheck_cli.config import given_policy
from gradcheck_cli.errors import GradcheckError, UsageError, internal_error
from gradcheck_cli.records import report as records
from gradcheck_cli.records.choices import FailOn, Optimizer
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.reports import FORMATS, Style
from gradcheck_cli.rules import patterns
from gradcheck_cli.words import did_you_mean, listing

if TYPE_CHECKING:
    import torch
    from torch import nn

Choice = TypeVar("Choice", Optimizer, FailOn)
_AUTOCAST = ("bfloat16", "float16")
_NOTEBOOK = '<pre style="white-space:pre;overflow-x:auto;line-height:normal">{code}</pre>'


@dataclass(frozen=True, kw_only=True, slots=True)
class Report(records.Report):
    """The report of a check; `print(report)` shows its table, and so does a notebook, in colour."""

    def __str__(self) -> str:
        return render(self)

    def _repr_html_(self) -> str:
        from rich.console import Console
        from rich.text import Text

        console = Console(record=True, file=io.StringIO(), width=100, color_system="truecolor", force_terminal=True)
        console.print(Text.from_ansi(render(self, color=True)), end="")
        return console.export_html(inline_styles=True, code_format=_NOTEBOOK)


def check(
    model: nn.Module,
    batch: Any,
    *,
    loss: Callable[..., Any] | str | None = None,
    step: Callable[..., Any] | None = None,
    name: str | None = None,
    device: str | torch.device | None = None,
    autocast: str | torch.dtype | None = None,
    batches: int = 1,
    seed: int = 0,
    lr: float | None = None,
    optimizer: Optimizer | str = Optimizer.SGD,
    select: str | Sequence[str] = (),
    ignore: str | Sequence[str] | Mapping[str, Any] = (),
    fail_on: FailOn | str = FailOn.WARNING,
    thresholds: Mapping[str, Mapping[str, float]] | None = None,
    try_budget: int = 0,
) -> Report:
    """Check a model that is in memory; it comes back exactly as it was.

    Args:
        model: Any module; it stays on its device and in its modes.
        batch: (inputs, target), a dict of keyword arguments, or a tensor; a loader or a data set to draw from.
        loss: A function of (output, target), or the name of one in torch.nn.functional; guessed if None.
        step: A function of (model, batch) that returns the loss, instead of `loss`.
        name: What to call the model in the report.
        device: Where a copy of the model, and of a loss that is a module, is checked; the model itself, where it is,
            if None.
        autocast: Low precision of the forward pass: bfloat16 or float16, the name or torch's dtype.
        batches: How many to judge.
        seed: Seed of the random generators, for drawing the batch and for the pass.
        lr: Learning rate, if the size of the first step is to be judged.
        optimizer: "sgd", "adam" or "adamw".
        select: Code prefixes or rule names to show, as one text or several; all if empty.
        ignore: Code prefixes or rule names to leave out; or, as in gradcheck.yaml, a mapping from them to
            {"layers": [GLOB, ...], "reason": WHY}.
        fail_on: Lowest severity for which `report.ok` is False.
        thresholds: Numbers that a verdict turns on, by rule and name, as {"GC206": {"saturated_share": 0.99}}.
        try_budget: Forward and backward passes that trials may take; 800 decide a suspicion and try all remedies of a
            finding, with 0 nothing is tried.

    Raises:
        UsageError: An argument is none that this takes.
        GradcheckError: The check could not be made.
    """
    spec = CheckSpec(
        model="",
        autocast=_autocast(autocast),
        seed=_whole(seed, "seed", 0, 2**63 - 1),
        lr=None if lr is None else _positive(lr, "lr"),
        optimizer=_choice(Optimizer, optimizer, "optimizer"),
        select=patterns(select, "select"),
        fail_on=_choice(FailOn, fail_on, "fail_on"),
        try_budget=_whole(try_budget, "try_budget", 0, 10**9),
        **_policy(ignore, thresholds or {}),
    )
    count = _whole(batches, "batches", 1, 10**6)
    place = None if device is None else str(device)
    try:
        from gradcheck_cli.target import wrap_target

        started = time.perf_counter()
        target = wrap_target(model, batch, loss=loss, step=step, name=name, seed=seed, batches=count, device=place)
        report = pipeline.examine(target, replace(spec, model=target.name), lambda *stage: None, started)
    except GradcheckError:
        raise
    except Exception as error:
        raise internal_error(error) from error
    return _public(report)


def load_report(path: str | Path) -> Report:
    """The report that `gradcheck check --output json=PATH` wrote.

    Raises:
        ReportError: The file cannot be read, or holds no report of a check.
    """
    from gradcheck_cli.reports.jsonfile import read_report

    return _public(read_report(path))


def render(
    report: records.Report, format: str = "table", *, width: int = 100, color: bool = False, verbose: bool = False
) -> str:
    """A report as text that ends with a newline.

    Args:
        report: What `check` or `load_report` returned.
        format: "table", "json", "markdown", "html", "github", "junit" or "sarif".
        width: Columns of a table.
        color: Whether a table has ANSI colours.
        verbose: Whether every layer, remedy and number is shown.

    Raises:
        UsageError: There is no such format.
    """
    if format not in FORMATS:
        close = did_you_mean(str(format), FORMATS)
        raise UsageError(
            f"format: {format!r:.60} is none of {listing(list(FORMATS))}{close}", hint="Write one of them."
        )
    return reports.render(report, format, Style(width=width, color=color, verbose=verbose))


def _public(report: records.Report) -> Report:
    return Report(**{field.name: getattr(report, field.name) for field in fields(report)})


def _policy(ignore: str | Sequence[str] | Mapping[str, Any], thresholds: Mapping[str, Any]) -> dict[str, Any]:
    """The fields ignore, waivers and thresholds of a spec."""
    if isinstance(ignore, Mapping):
        return given_policy(ignore, thresholds)
    return {**(given_policy({}, thresholds) if thresholds else {}), "ignore": patterns(ignore, "ignore")}


def _autocast(value: object) -> str | None:
    name = None if value is None else str(value).removeprefix("torch.")
    if name is not None and name not in _AUTOCAST:
        raise UsageError(f"autocast: {value!r:.60} is none of {listing(_AUTOCAST)}", hint="Write one of them.")
    return name


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
