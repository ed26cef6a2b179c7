"""One check from spec to report; the file to read first."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gradcheck_cli import __version__
from gradcheck_cli.ledger import account_for
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.report import Finding, Remedy, Report
from gradcheck_cli.records.spec import CheckSpec, Target
from gradcheck_cli.records.training import Training
from gradcheck_cli.records.verdict import exit_code, status_of
from gradcheck_cli.remedies import remedies_for
from gradcheck_cli.rules import judge

Stage = Callable[..., None]
"""Told what is being done, and where it can be counted how far: (stage, done, of)."""


def run_check(
    spec: CheckSpec,
    on_stage: Stage = lambda *stage: None,
    on_diagnosed: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Check one model as `spec` asks; `on_stage` is told what is being done.

    `on_diagnosed` is given the report before remedies are tried, which may run into anything.

    Raises:
        GradcheckError: The check could not be made; its `exit_code` says how to end.
    """
    from gradcheck_cli.target import load_target

    started = time.perf_counter()
    on_stage("loading the model and the batch")
    target = load_target(spec)
    return examine(target, spec, on_stage, started, on_diagnosed)


def examine(
    target: Target,
    spec: CheckSpec,
    on_stage: Stage,
    started: float,
    on_diagnosed: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Probe a loaded target and judge what was measured."""
    import torch

    from gradcheck_cli.probe import RaisedByUser, measure
    from gradcheck_cli.target import explain_forward_error
    from gradcheck_cli.trials import try_remedies

    autocast = getattr(torch, spec.autocast) if spec.autocast else None
    loaded = time.perf_counter()
    try:
        measured = [
            measure(target, batch, seed=spec.seed, autocast=autocast, on_stage=on_stage) for batch in target.batches
        ]
    except RaisedByUser as raised:
        raise explain_forward_error(target.model, raised.error) from raised.error
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

    def report(findings: tuple[Finding, ...], untried: tuple[str, ...] = ()) -> Report:
        return Report(
            name=target.name,
            status=status_of(findings, layers),
            exit_code=exit_code(findings, spec.fail_on),
            loss=measurement.loss,
            loss_source=target.loss_source or measurement.loss_source,
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

    if findings and spec.try_budget > 0:
        on_diagnosed(report(findings))
    return report(*try_remedies(target, spec, measurement, findings, on_stage))


def _remedies(finding: Finding) -> tuple[Remedy, ...]:
    return remedies_for(finding.cause, finding.op, finding.source.code if finding.source else "")


def _too_few(target: Target, spec: CheckSpec) -> tuple[str, ...]:
    found = len(target.batches)
    return (f"--batches asked for {spec.batches} and the data holds {found}",) if found < spec.batches else ()


def gradient_norm(measurement: Measurement) -> float:
    """L2 norm of the whole gradient."""
    return math.hypot(*(p.grad_norm for p in measurement.parameters if p.grad_norm is not None))


def _described(target: Target) -> Mapping[str, Any]:
    return {
        "model": type(target.model).__name__,
        "picked": list(target.picked),
        "batch_size": target.batch_size,
    }


def _versions(torch_version: str) -> Mapping[str, str]:
    return {"gradcheck": __version__, "torch": torch_version, "python": platform.python_version()}
