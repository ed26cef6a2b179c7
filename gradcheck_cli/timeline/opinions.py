"""The run as the second opinion: what became of it decides what a single step cannot (THEORY.md, sections 4d and 7)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.batchwise import is_ill
from gradcheck_cli.records.choices import About, Decision, FailOn, Family, Severity
from gradcheck_cli.records.report import Finding, Layer, Opinion, Report
from gradcheck_cli.records.session import LayerSample, Process, Sample
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.records.timeline import Vital
from gradcheck_cli.records.verdict import exit_code, status_of, with_status
from gradcheck_cli.words import times_of_one_answer

TAIL = 0.1
"""Share of a run whose median loss is where it ended."""
LEAST_TAIL = 5
"""Losses that it is taken over at least."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLearning:
    """Whether a run got its loss down: None where that cannot be told; `told` has the numbers, or the reason."""

    learned: bool | None
    told: str


def learning(
    vitals: Sequence[Vital], report: Report | None, limits: Thresholds, samples: Sequence[Sample] = ()
) -> RunLearning:
    """Whether the losses of an optimiser end well below what they are at chance.

    Args:
        vitals: Those of one optimiser, the first being of the step that was diagnosed.
        report: The diagnosis of that step, if there is one: where it knows what chance is, that counts, else the first
            loss.
        limits: How far below.
        samples: Those of the same updates: at chance to the end is not learned, from wherever the loss came down.
    """
    losses = [vital.loss for vital in vitals if vital.loss is not None and not vital.skipped]
    if not losses:
        return RunLearning(learned=None, told="the run's loss could not be had")
    end = median(losses[-max(LEAST_TAIL, round(TAIL * len(losses))) :])
    start = losses[0] * _chance(report.findings if report is not None else ())
    at_chance = " at chance" if start < losses[0] else ""
    told = f"{start:.3g}{at_chance} -> {end:.3g}"
    if len(losses) < ALARMING.warm_up:
        return RunLearning(learned=None, told=f"the run was too short to tell: {told} in {len(losses)} steps")
    if why := _below_floor(report, end) or _like_one_answer(samples):
        return RunLearning(learned=False, told=why)
    if not math.isfinite(start) or start <= 0:
        return RunLearning(learned=None, told=f"the loss does not tell whether the run learned: {told}")
    if end < limits.trained * start:
        return RunLearning(learned=True, told=told)
    return RunLearning(learned=False, told=f"the run did not bring the loss down: {told}")


def _below_floor(report: Report | None, end: float) -> str:
    """What says that a loss has none of the floor that those of its kind have; empty where nothing does."""
    floors = (finding.evidence.get("floor") for finding in report.findings if is_ill(finding)) if report else ()
    floor = min((floor for floor in floors if isinstance(floor, float)), default=-math.inf)
    return f"the loss ended at {end:.3g}, and none of its kind can be below {floor:.3g}" if end < floor else ""


def _like_one_answer(samples: Sequence[Sample]) -> str:
    stands = ended_at_chance(samples)
    return "" if stands is None else f"the loss ended at {times_of_one_answer(stands)}"


def ended_at_chance(samples: Sequence[Sample]) -> float | None:
    """The median loss over Lm of the last samples, where that is chance; the last one, where none was ever below."""
    ratios = [ratio for _, ratio in _against_chance(samples)]
    if len(ratios) < ALARMING.samples:
        return None
    ends = ratios[-1] if min(ratios) >= ALARMING.at_chance else median(ratios[-ALARMING.samples :])
    return ends if ALARMING.at_chance <= ends <= ALARMING.near_chance else None


def never_below_chance(samples: Sequence[Sample]) -> tuple[int, float] | None:
    """The step of the last sample and its loss over Lm, where of enough of them none was below chance; None else."""
    found = _against_chance(samples)
    never = len(found) >= ALARMING.samples and min(ratio for _, ratio in found) >= ALARMING.at_chance
    return found[-1] if never else None


def _against_chance(samples: Sequence[Sample]) -> list[tuple[int, float]]:
    """The steps of samples, with their losses over Lm."""
    return [(sample.step, ratio) for sample in samples if (ratio := sample.against_chance) is not None]


def _chance(findings: Iterable[Finding]) -> float:
    """What the loss at chance is as a share of the first loss, by findings that hold it against chance; at most 1."""
    return min((_share(finding) for finding in findings), default=1.0)


def _share(finding: Finding) -> float:
    pairs = (("chance", "loss", 1), ("loss_of_nothing", "loss", 1), ("target_rms", "output_rms", 2))
    shares = [1.0]
    for wanted, had, power in pairs:
        low, high = finding.evidence.get(wanted), finding.evidence.get(had)
        if isinstance(low, float | int) and isinstance(high, float | int) and 0 < low < high:
            shares.append((low / high) ** power)
    return min(shares)


def refuted(finding: Finding, told: str) -> Finding:
    """An illness, or the suspicion of one, as a note: the run went on and was well."""
    return _decided(finding, Severity.NOTE, Decision.REFUTED, told) if is_ill(finding) else finding


def opened(finding: Finding, step: int, process: Process) -> Finding:
    """A finding about layers without a usable gradient, as a note where every one of them has one later in the run.

    A first batch that is masked altogether, a discriminator's step before the generator's: other steps open the part.
    A finding about a gradient of 0 everywhere is about all layers.
    """
    if finding.family is not Family.NO_GRADIENT or not is_ill(finding):
        return finding
    later = [sample for sample in process.layers if sample.step > step]
    wanted = finding.layers or tuple({name for sample in later for name in sample.relative_gradient})
    found = [_first_open(layer, later) for layer in wanted]
    if not found or None in found:
        return finding
    return refuted(finding, f"by step {max(step for step in found if step is not None)} every layer has a gradient")


def _first_open(layer: str, samples: Sequence[LayerSample]) -> int | None:
    """The first step at which a layer, or one below it, has a gradient."""
    for sample in samples:
        for name, value in sample.relative_gradient.items():
            if (name == layer or name.startswith(f"{layer}.")) and value:
                return sample.step
    return None


def undecided(finding: Finding, told: str) -> Finding:
    """An illness, or the suspicion of one, as a note: nothing decides it."""
    return _decided(finding, Severity.NOTE, Decision.UNDECIDED, told) if is_ill(finding) else finding


def confirmed(finding: Finding, told: str) -> Finding:
    """A suspicion that the run bore out, as grave as it said; whatever else stays as it was."""
    return _decided(finding, finding.opinion.severity, Decision.CONFIRMED, told) if finding.opinion else finding


def still_open(finding: Finding, told: str) -> Finding:
    """A suspicion that the run does not decide, with the reason; whatever else stays as it was."""
    opinion = finding.opinion
    if opinion is None or opinion.decision is not Decision.NOT_TRIED:
        return finding
    return _decided(finding, finding.severity, Decision.UNDECIDED, told)


def _decided(finding: Finding, severity: Severity, decision: Decision, told: str) -> Finding:
    opinion = finding.opinion or Opinion(about=About.WHOLE, severity=finding.severity)
    remedies = finding.remedies if severity is not Severity.NOTE else ()
    return replace(
        finding, severity=severity, remedies=remedies, opinion=replace(opinion, decision=decision, told=told)
    )


def with_findings(report: Report, findings: Sequence[Finding], fail_on: FailOn) -> Report:
    """The report with these findings, and with the layers, the status and the exit code that they make."""
    codes = {finding.code for finding in report.findings}
    layers = with_status((_unjudged(layer) if layer.status in codes else layer for layer in report.layers), findings)
    return replace(
        report,
        findings=tuple(findings),
        layers=layers,
        status=status_of(findings, layers),
        exit_code=exit_code(findings, fail_on),
    )


def _unjudged(layer: Layer) -> Layer:
    """A layer whose status was the code of a finding, with the status that its numbers give it."""
    measured = "none" if layer.grad_norm is None else "ok"
    return replace(layer, status="non-finite" if layer.nan_count or layer.inf_count else measured)
