"""One check from spec to report; the file to read first."""

from __future__ import annotations

import math
import platform
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcheck_cli import __version__
from gradcheck_cli.ledger import account_for
from gradcheck_cli.records.choices import FailOn, Optimizer, Severity, Status
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.report import Finding, Layer, Remedy, Report
from gradcheck_cli.records.spec import CheckSpec, Target
from gradcheck_cli.records.training import Training
from gradcheck_cli.remedies import remedies_for
from gradcheck_cli.rules import judge

if TYPE_CHECKING:
    from torch import nn

Stage = Callable[..., None]
"""Told what is being done, and where it can be counted how far: (stage, done, of)."""


def run_check(spec: CheckSpec, on_stage: Stage = lambda *stage: None) -> Report:
    """Check one model as `spec` asks; `on_stage` is told what is being done.

    Raises:
        GradcheckError: The check could not be made; its `exit_code` says how to end.
    """
    from gradcheck_cli.target import load_target

    started = time.perf_counter()
    on_stage("loading the model and the batch")
    target = load_target(spec)
    return diagnose(target, spec, on_stage, started)


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
        seed: Seed of the random generators for the pass.
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
    target = wrap_target(model, batch, loss=loss, step=step, name=name)
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
    return diagnose(target, spec, lambda *stage: None, started)


def diagnose(target: Target, spec: CheckSpec, on_stage: Stage, started: float) -> Report:
    """Probe a loaded target and judge what was measured."""
    import torch

    from gradcheck_cli.errors import GradcheckError
    from gradcheck_cli.probe import measure
    from gradcheck_cli.target import explain_forward_error
    from gradcheck_cli.trials import try_remedies

    autocast = getattr(torch, spec.autocast) if spec.autocast else None
    loaded = time.perf_counter()
    guessed: list[str] = []
    watched = replace(target, forward=_noting_the_loss(target, guessed))
    try:
        measured = [
            measure(watched, batch, seed=spec.seed, autocast=autocast, on_stage=on_stage) for batch in target.batches
        ]
    except GradcheckError:
        raise
    except BaseException as error:
        if _is_ours(error):
            raise
        raise explain_forward_error(target.model, error) from error
    measurement = measured[0]
    on_stage("judging")
    ledger = account_for(measurement)
    training = Training(lr=spec.lr, optimizer=spec.optimizer, norms=tuple(gradient_norm(m) for m in measured))
    layers, found, hidden, waived = judge(
        measurement,
        ledger,
        training,
        select=spec.select,
        ignore=spec.ignore,
        waivers=spec.waivers,
        thresholds=spec.thresholds,
        drift_from=spec.drift,
    )
    findings = tuple(replace(f, remedies=() if f.severity is Severity.NOTE else _remedies(f)) for f in found)
    judged = time.perf_counter()
    findings, untried = try_remedies(target, spec, measurement, findings, on_stage)
    code = exit_code(findings, spec.fail_on)
    return Report(
        name=target.name,
        status=_status(findings, layers),
        exit_code=code,
        loss=measurement.loss,
        loss_source=target.loss_source or (guessed[0] if guessed else ""),
        target=_described(target),
        versions=_versions(torch.__version__),
        findings=findings,
        hidden=hidden,
        waived=waived,
        layers=layers,
        series=ledger.series,
        notes=(*measurement.remarks, *_too_few(target, spec), *untried),
        seconds={
            "load": loaded - started,
            **measurement.seconds,
            "trials": time.perf_counter() - judged,
            "total": time.perf_counter() - started,
        },
    )


def _remedies(finding: Finding) -> tuple[Remedy, ...]:
    return remedies_for(finding.cause, finding.op, finding.source.code if finding.source else "")


def _too_few(target: Target, spec: CheckSpec) -> tuple[str, ...]:
    found = len(target.batches)
    return (f"--batches asked for {spec.batches} and the data holds {found}",) if found < spec.batches else ()


def gradient_norm(measurement: Measurement) -> float:
    """L2 norm of the whole gradient."""
    return math.hypot(*(p.grad_norm for p in measurement.parameters if p.grad_norm is not None))


def _is_ours(error: BaseException) -> bool:
    """Whether an error comes from the probe's own code rather than from the user's under it."""
    if isinstance(error, (RecursionError, MemoryError)):
        return False  # they end wherever the last straw happened to fall
    frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    while frames and frames[-1].co_name in ("__torch_function__", "__torch_dispatch__", "apply"):
        frames.pop()  # the probe looks on while the user's op raises
    return bool(frames) and frames[-1].co_filename.startswith(str(Path(__file__).parent / "probe"))


def _noting_the_loss(target: Target, guessed: list[str]) -> Callable[[Any, Any], Any]:
    def forward(model: Any, batch: Any) -> Any:
        result = target.forward(model, batch)
        guessed.append(result.loss_source)
        return result

    return forward


def exit_code(findings: tuple[Finding, ...], fail_on: FailOn) -> int:
    """0 where no finding that is not known is as severe as `fail_on`, else 1."""
    failing = {
        FailOn.ERROR: {Severity.ERROR},
        FailOn.WARNING: {Severity.ERROR, Severity.WARNING},
        FailOn.NEVER: set(),
    }[fail_on]
    return int(any(finding.severity in failing and not finding.known for finding in findings))


def _status(findings: tuple[Finding, ...], layers: tuple[Layer, ...]) -> Status:
    if any(finding.severity is not Severity.NOTE for finding in findings):
        return Status.ILL
    judged = any(layer.grad_norm is not None and math.isfinite(layer.grad_norm) for layer in layers)
    return Status.HEALTHY if judged else Status.UNKNOWN


def _described(target: Target) -> Mapping[str, Any]:
    return {
        "model": type(target.model).__name__,
        "picked": list(target.picked),
        "batch_size": target.batch_size,
    }


def _versions(torch_version: str) -> Mapping[str, str]:
    return {"gradcheck": __version__, "torch": torch_version, "python": platform.python_version()}
