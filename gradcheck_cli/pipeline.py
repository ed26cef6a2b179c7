"""One check from spec to report; the file to read first."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from gradcheck_cli import __version__
from gradcheck_cli.evidence import Evidence, gather
from gradcheck_cli.records.choices import Decision, Severity
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.records.judging import Choice, Diagnosed
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.spec import CheckSpec, Step, Target
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.records.training import Training
from gradcheck_cli.records.traits import traits_of_family
from gradcheck_cli.records.verdict import exit_code, gravest_first, status_of, with_status
from gradcheck_cli.remedies import remedies_for
from gradcheck_cli.rules import BY_CODE, judge, questions, read

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
    """Probe a loaded target, judge what was measured, and try what might cure it.

    `on_diagnosed` is given the report as it stands before the trials, and again after each of them.

    Raises:
        GradcheckError: The check could not be made.
    """
    import torch

    from gradcheck_cli.probe import chance
    from gradcheck_cli.trials import Reporting, try_remedies

    autocast = getattr(torch, spec.autocast) if spec.autocast else None
    steps = [Step(target=target, batch=batch, seed=spec.seed, autocast=autocast) for batch in target.batches]
    loaded = time.perf_counter()
    measured = [_measured(step, on_stage) for step in steps]
    on_stage("judging")
    diagnosed = judged(
        steps[0],
        measured[0],
        thresholds=spec.thresholds,
        training=Training(lr=spec.lr, optimizer=spec.optimizer, norms=tuple(map(gradient_norm, measured))),
        drift=spec.drift,
        choice=Choice(select=spec.select, ignore=spec.ignore, waivers=spec.waivers),
    )
    known = time.perf_counter()
    verdict, measurement = diagnosed.verdict, measured[0]

    def report(findings: tuple[Finding, ...], untried: tuple[str, ...] = ()) -> Report:
        findings = gravest_first(_told(finding, spec) for finding in findings)
        layers = with_status(diagnosed.evidence.layers.values(), findings)
        return Report(
            name=target.name,
            status=status_of(findings, layers),
            exit_code=exit_code(findings, spec.fail_on),
            loss=measurement.loss,
            loss_source=target.loss_source or measurement.loss_source,
            target=_described(target),
            versions=_versions(torch.__version__),
            findings=findings,
            hidden=verdict.hidden,
            waived=verdict.waived,
            layers=layers,
            series=diagnosed.evidence.paths.ledger.series,
            notes=(*measurement.remarks, *_too_few(target, spec), *untried),
            seconds={
                "load": loaded - started,
                **measurement.seconds,
                "trials": time.perf_counter() - known,
                "total": time.perf_counter() - started,
            },
        )

    ill = [f for f in verdict.findings if _is_ill(f) and BY_CODE[f.code].triable]
    if not ill or not spec.try_budget:
        return report(verdict.findings)
    on_diagnosed(report(verdict.findings))
    again = partial(diagnose, thresholds=spec.thresholds)
    reporting = Reporting(stage=on_stage, tried=lambda findings: on_diagnosed(report(findings)))
    return report(*try_remedies(steps[0], spec, diagnosed, again, chance, ill, reporting))


def diagnose(step: Step, *, thresholds: Thresholds = Thresholds()) -> Diagnosed[Evidence]:  # noqa: B008 - frozen
    """Measure one step and judge it: what trials call on every copy that they change.

    Raises:
        ProbeError: There is nothing to measure.
        RaisedByUser: The user's code raised.
    """
    from gradcheck_cli.probe import measure

    measured = measure(step.target, step.batch, seed=step.seed, autocast=step.autocast)
    return judged(step, measured, thresholds=thresholds)


def judged(
    step: Step,
    measurement: Measurement,
    *,
    thresholds: Thresholds,
    training: Training = Training(),  # noqa: B008 - frozen
    drift: Drift | None = None,
    choice: Choice = Choice(),  # noqa: B008 - frozen
) -> Diagnosed[Evidence]:
    """Gather the evidence of a measurement, ask further where it looks odd, judge it, and add the remedies.

    Raises:
        StateError: A further pass changed something that cannot be put back.
    """
    from gradcheck_cli.probe import enquire

    evidence = gather(measurement, training=training, thresholds=thresholds, drift=drift)
    if asked := questions(evidence):
        evidence = evidence.enlarged(enquire(step, measurement, asked))
    verdict = judge(evidence, choice)
    verdict = replace(verdict, findings=tuple(_with_remedies(f, evidence) for f in verdict.findings))
    return Diagnosed(evidence=evidence, verdict=verdict, read=partial(read, evidence))


def gradient_norm(measurement: Measurement) -> float:
    """L2 norm of the whole gradient."""
    return math.hypot(*(p.grad_norm for p in measurement.parameters if p.grad_norm is not None))


def _measured(step: Step, on_stage: Stage) -> Measurement:
    from gradcheck_cli.probe import measure
    from gradcheck_cli.runtime.passes import RaisedByUser
    from gradcheck_cli.target import explain_forward_error

    try:
        return measure(step.target, step.batch, seed=step.seed, autocast=step.autocast, on_stage=on_stage)
    except (RaisedByUser, KeyboardInterrupt) as raised:
        error = raised.error if isinstance(raised, RaisedByUser) else raised
        raise explain_forward_error(step.target.model, error) from error


def _is_ill(finding: Finding) -> bool:
    """Whether it is an illness, or the suspicion of one."""
    return finding.severity is not Severity.NOTE or finding.opinion is not None


def _told(finding: Finding, spec: CheckSpec) -> Finding:
    """A suspicion that was not tried, with the reason; nothing is ill for its size or for want of a budget."""
    opinion = finding.opinion
    if opinion is None or opinion.decision is not Decision.NOT_TRIED or opinion.told:
        return finding
    why = "the trials did not come to it" if spec.try_budget else "not tried; --try-budget decides"
    return replace(finding, opinion=replace(opinion, told=why))


def _with_remedies(finding: Finding, evidence: Evidence) -> Finding:
    if not _is_ill(finding):
        return finding
    code = finding.source.code if finding.source else ""
    traits = evidence.traits | traits_of_family(finding.family)
    return replace(finding, remedies=remedies_for(finding.cause, finding.op, code, traits))


def _too_few(target: Target, spec: CheckSpec) -> tuple[str, ...]:
    found = len(target.batches)
    return (f"--batches asked for {spec.batches} and the data holds {found}",) if found < spec.batches else ()


def _described(target: Target) -> Mapping[str, Any]:
    return {
        "model": type(target.model).__name__,
        "picked": list(target.picked),
        "batch_size": target.batch_size,
    }


def _versions(torch_version: str) -> Mapping[str, str]:
    return {"gradcheck": __version__, "torch": torch_version, "python": platform.python_version()}
