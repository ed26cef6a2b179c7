"""One check from spec to report; the file to read first."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from gradcheck_cli import __version__
from gradcheck_cli.evidence import Evidence, gather
from gradcheck_cli.records.apart import rows_among
from gradcheck_cli.records.batchwise import apportioned, is_ill
from gradcheck_cli.records.choices import Decision, Family
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.records.judging import Choice, JudgedStep
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.spec import CheckSpec, Step, Target
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.records.trainingsettings import Training
from gradcheck_cli.records.traits import traits_of_family
from gradcheck_cli.records.verdict import exit_code, gravest_first, status_of, with_status
from gradcheck_cli.remedies import carried_into, ladders_for, remedies_for, without_softmax
from gradcheck_cli.rules import BY_CODE, judge, questions, read, standing_out, steps_wanted

if TYPE_CHECKING:
    from gradcheck_cli.trials import Budget

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
    """Probe a loaded target, judge what was measured on each batch, and try what might cure it.

    `on_diagnosed` is given the report as it stands before the trials, and again after each of them.

    Raises:
        GradcheckError: The check could not be made.
    """
    import torch

    from gradcheck_cli.probe import chance
    from gradcheck_cli.trials import INTERRUPTED, Budget, Reporting, try_remedies

    autocast = getattr(torch, spec.autocast) if spec.autocast else None
    steps = [Step(target=target, batch=batch, seed=spec.seed, autocast=autocast) for batch in target.batches]
    loaded = time.perf_counter()
    drawn = zip_longest(steps, target.samples)
    measured = [replace(_measured(step, on_stage), samples=samples) for step, samples in drawn if step is not None]
    budget = Budget(spec.try_budget)
    diagnosed, unstepped = _diagnosed(steps, measured, spec, budget, on_stage)
    known = time.perf_counter()
    told = apportioned([each.verdict.findings for each in diagnosed])

    def report(untried: tuple[str, ...] = ()) -> Report:
        findings = gravest_first(_told(f, spec) for findings in told for f in findings if f is not None)
        layers = with_status(diagnosed[0].evidence.layers.values(), findings)
        return Report(
            name=target.name,
            status=status_of(findings, layers),
            exit_code=exit_code(findings, spec.fail_on),
            loss=measured[0].loss,
            loss_source=target.loss_source or measured[0].loss_source,
            target=_described(target),
            versions=_versions(torch.__version__),
            findings=findings,
            hidden=max(each.verdict.hidden for each in diagnosed),
            waived=tuple(dict.fromkeys(waived for each in diagnosed for waived in each.verdict.waived)),
            layers=layers,
            series=diagnosed[0].evidence.paths.ledger.series,
            notes=tuple(dict.fromkeys((*measured[0].remarks, *_too_few(target, spec), *unstepped, *untried))),
            seconds={
                "load": loaded - started,
                **measured[0].seconds,
                "trials": time.perf_counter() - known,
                "total": time.perf_counter() - started,
            },
        )

    def told_of(place: int, findings: tuple[Finding, ...]) -> Report:
        told[place] = [None if was is None else now for was, now in zip(told[place], findings, strict=True)]
        return report()

    triable = [tuple(f for f in findings if f and is_ill(f) and BY_CODE[f.code].triable) for findings in told]
    if not any(triable) or not spec.try_budget:
        return report()
    on_diagnosed(report())
    again = partial(diagnose, thresholds=spec.thresholds)
    notes: list[str] = []
    for place, ill in enumerate(triable):
        one = _as_told(diagnosed[place], told[place])
        reporting = Reporting(
            stage=on_stage,
            tried=lambda findings, place=place: on_diagnosed(told_of(place, findings)),  # type: ignore[misc]
        )
        findings, why = try_remedies(steps[place], spec, one, again, chance, ill, reporting, budget)
        told_of(place, findings)
        notes += why
        if INTERRUPTED in why:
            break
    return report(tuple(notes))


def _diagnosed(
    steps: Sequence[Step], measured: Sequence[Measurement], spec: CheckSpec, budget: Budget, on_stage: Stage
) -> tuple[list[JudgedStep[Evidence]], tuple[str, ...]]:
    """Each batch judged, with --lr also by the first update on a copy, and why no update was simulated."""
    from gradcheck_cli.trials import first_update

    norms = tuple(map(gradient_norm, measured))
    choice = Choice(select=spec.select, ignore=spec.ignore, waivers=spec.waivers)
    diagnosed, notes = [], []
    for place, (step, one) in enumerate(zip(steps, measured, strict=True)):
        training = Training(lr=spec.lr, optimizer=spec.optimizer, norms=norms if place == 0 else ())
        if spec.lr is not None and math.isfinite(one.loss) and math.isfinite(norms[place]):
            on_stage("simulating the first update")
            stepped, why = first_update(step, training, one.seconds)
            training = replace(training, stepped=stepped)
            notes += [why] if why else []
            budget.charge(stepped.passes if stepped else 0)
        on_stage("judging")
        drift = spec.drift if place == 0 else None
        all_of_them = tuple(measured) if len(measured) > 1 else ()
        found = judged(
            step,
            one,
            thresholds=spec.thresholds,
            training=training,
            drift=drift,
            batches=all_of_them,
            choice=choice,
        )
        found = found if place else _stepped_on(step, found, choice, budget, on_stage)
        diagnosed.append(_carried_out(step, found, on_stage))
    return diagnosed, tuple(notes)


def _stepped_on(
    step: Step, diagnosed: JudgedStep[Evidence], choice: Choice, budget: Budget, on_stage: Stage
) -> JudgedStep[Evidence]:
    """Judged again after more updates on copies, where nothing is ill, the rules want them and the budget has them."""
    from gradcheck_cli.trials import first_updates

    evidence = diagnosed.evidence
    ill = any(is_ill(f) and f.family is not Family.DYNAMICS for f in diagnosed.verdict.findings)
    wanted = 0 if ill else steps_wanted(evidence)
    if not wanted or not budget.take(2 * (wanted + 1)):
        return diagnosed
    on_stage("simulating the first updates")
    again = partial(diagnose, thresholds=evidence.thresholds)
    later = first_updates(step, evidence.training, wanted, again)
    if later is None or evidence.training.stepped is None:
        return diagnosed
    training = replace(evidence.training, stepped=replace(evidence.training.stepped, later=later))
    return _judged(replace(evidence, training=training), choice)


def _as_told(diagnosed: JudgedStep[Evidence], told: Sequence[Finding | None]) -> JudgedStep[Evidence]:
    """The same with its findings as they are told, where they are."""
    findings = tuple(now or was for now, was in zip(told, diagnosed.verdict.findings, strict=True))
    return replace(diagnosed, verdict=replace(diagnosed.verdict, findings=findings))


def diagnose(step: Step, *, thresholds: Thresholds = Thresholds()) -> JudgedStep[Evidence]:  # noqa: B008 - frozen
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
    batches: tuple[Measurement, ...] = (),
    choice: Choice = Choice(),  # noqa: B008 - frozen
) -> JudgedStep[Evidence]:
    """Gather the evidence of a measurement, ask further where it looks odd, judge it, and add the remedies.

    Raises:
        StateError: A further pass changed something that cannot be put back.
    """
    from gradcheck_cli.probe import enquire

    evidence = gather(measurement, training=training, thresholds=thresholds, drift=drift, batches=batches)
    if asked := questions(evidence):
        evidence = evidence.enlarged(enquire(step, measurement, asked))
    return _judged(evidence, choice)


def _judged(evidence: Evidence, choice: Choice) -> JudgedStep[Evidence]:
    verdict = judge(evidence, choice)
    verdict = replace(verdict, findings=tuple(_with_remedies(f, evidence) for f in verdict.findings))
    return JudgedStep(evidence=evidence, verdict=verdict, read=partial(read, evidence))


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


def _told(finding: Finding, spec: CheckSpec) -> Finding:
    """A suspicion that was not tried, with the reason; nothing is ill for its size or for want of a budget."""
    opinion = finding.opinion
    if opinion is None or opinion.decision is not Decision.NOT_TRIED or opinion.told:
        return finding
    why = "the trials did not come to it" if spec.try_budget else "not tried; --try-budget decides"
    return replace(finding, opinion=replace(opinion, told=why))


def _with_remedies(finding: Finding, evidence: Evidence) -> Finding:
    if not is_ill(finding) or (finding.family is Family.NONFINITE and finding.cause == "unknown"):
        return finding  # nothing that is borrowed from other ops
    traits = evidence.traits | traits_of_family(finding.family)
    remedies = remedies_for(finding.cause, traits)
    if finding.family is Family.NONFINITE:
        graph, overflows = evidence.graph, finding.cause == "exp-overflow"
        fused = graph.takes_log_of_softmax(finding.source) or (overflows and graph.takes_log_of_sum(finding.source))
        origin = evidence.measurement.origin
        by_hand = overflows and ((origin is not None and origin.normalised) or graph.makes_softmax(finding.source))
        if overflows and graph.takes_exponential(finding.source) and not (fused or by_hand):
            remedies = without_softmax(remedies, finding.source.code if finding.source else "")
        places = {"log-softmax": 0 if fused else 2, "softmax": 0 if by_hand else 2}
        remedies = tuple(sorted(remedies, key=lambda remedy: places.get(remedy.id, 1)))
    return replace(finding, remedies=remedies)


def _carried_out(step: Step, diagnosed: JudgedStep[Evidence], on_stage: Stage) -> JudgedStep[Evidence]:
    """With the remedies that can be written into a line of the user's carried out on this batch."""
    from gradcheck_cli.trials import carried_out

    findings, measurement = [], diagnosed.evidence.measurement
    for finding in (_with_row(f, step, measurement) for f in diagnosed.verdict.findings):
        if finding.family is not Family.NONFINITE or not is_ill(finding) or finding.source is None:
            findings.append(finding)
            continue
        ladders = ladders_for(finding)
        if ladders:
            on_stage("carrying out remedies")
        carried = carried_out(step, finding.source, ladders, measurement.loss, measurement.seconds) if ladders else {}
        findings.append(carried_into(finding, ladders, carried))
    return replace(diagnosed, verdict=replace(diagnosed.verdict, findings=tuple(findings)))


def _with_row(finding: Finding, step: Step, measurement: Measurement) -> Finding:
    """With what the sample that a value comes from has in the batch, and no other sample."""
    from gradcheck_cli.runtime.rows import apart

    sample = finding.evidence.get("sample")
    if finding.family is not Family.NONFINITE or not isinstance(sample, int):
        return finding
    count = rows_among(stats.shape[0] for stats in measurement.inputs if stats.shape)
    found = apart(step.batch, (sample,), count or 0)
    return finding if found is None else replace(finding, why=f"{finding.why}; {standing_out(found)}")


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
