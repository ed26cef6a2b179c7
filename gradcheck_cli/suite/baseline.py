"""Baselines: findings that are known fail no check, new ones do, and gradients are held against those of then.

A finding is known by the name of its check, its code and its layers. The file is sorted JSON with a line for each
layer, so that a diff shows what changed:

    {"schema": "gradcheck-baseline/1",
     "checks": {"net.py": {"findings": {"GC201": ["layers.0", "layers.1"]}, "decades": {"layers.0": -8.53}}}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradcheck_cli.errors import ConfigError
from gradcheck_cli.opening import LARGEST_DOCUMENT, Unreadable, text_of
from gradcheck_cli.records.choices import Severity, Status
from gradcheck_cli.records.codec import WrongShape, decode, encode, strict_json
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.records.verdict import exit_code
from gradcheck_cli.rules import EVERY_RULE, chosen
from gradcheck_cli.words import listing

SCHEMA = "gradcheck-baseline/1"
_NAMES = {rule.code: rule.name for rule in EVERY_RULE}


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownCheck:
    """What a check came to when the baseline was written.

    Attributes:
        findings: The layers of the errors and warnings, by code; "" stands for a finding that names none.
        decades: log10 of the gradient norm by layer, to a hundredth of a decade.
    """

    findings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    decades: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """What is known, by the name of the check."""

    checks: Mapping[str, KnownCheck]


def read_baseline(path: str, *, missing_ok: bool = False) -> Baseline:
    """The baseline in a file.

    Raises:
        ConfigError: It cannot be read or is no baseline.
    """
    try:
        data = strict_json(text_of(Path(path), LARGEST_DOCUMENT))
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise WrongShape(f'"schema" should be "{SCHEMA}"')
        found: Baseline = decode(Baseline, data)
    except Unreadable as error:
        if error.missing and missing_ok:
            return Baseline(checks={})
        if error.missing:
            raise ConfigError(f"{path}: there is no such baseline", hint="--update-baseline writes it.") from error
        raise ConfigError(f"{path} {error}", hint="Name a file that --update-baseline wrote.") from error
    except ValueError as error:
        hint = "Remove it and write it again with --update-baseline."
        raise ConfigError(f"{path}: not a baseline: {error}", hint=hint) from error
    return found


def baseline_text(baseline: Baseline) -> str:
    """The file: sorted, in pure ASCII."""
    return json.dumps({"schema": SCHEMA, **encode(baseline)}, indent=1, sort_keys=True, allow_nan=False) + "\n"


def updated(baseline: Baseline, reports: Mapping[str, Report], planned: Container[str]) -> Baseline:
    """The baseline with what the checks that were made came to now, and without checks that are planned no more.

    Args:
        baseline: What was known.
        reports: Those of the checks that ran, by name; of one that could not be made the old entry is kept.
        planned: The names of all checks, also of those that did not run.
    """
    kept = {name: known for name, known in baseline.checks.items() if name in planned}
    made = {name: known_from(report) for name, report in reports.items() if report.status is not Status.FAILED}
    return Baseline(checks={**kept, **made})


def known_from(report: Report) -> KnownCheck:
    """What a baseline keeps of a report."""
    findings: dict[str, set[str]] = {}
    for code, layer in _pairs(report):
        findings.setdefault(code, set()).add(layer)
    return KnownCheck(
        findings={code: tuple(sorted(layers)) for code, layers in findings.items()},
        decades={
            layer.path: round(layer.decades, 2) + 0.0
            for layer in report.layers
            if layer.decades is not None and math.isfinite(layer.decades)
        },
    )


def held_against(planned: PlannedCheck, known: KnownCheck | None) -> PlannedCheck:
    """The check with the gradients of its baseline, where it allows only so much drift.

    Layers that were ill then are left out: that their gradients move is what everyone hopes for.
    """
    spec = planned.spec
    if known is None or planned.drift is None or not isinstance(spec, CheckSpec):
        return planned
    ill = {layer for _, layer in _entries(known)}
    before = {layer: decades for layer, decades in known.decades.items() if layer not in ill}
    return replace(planned, spec=replace(spec, drift=Drift(limit=planned.drift, before=before)))


def marked(planned: PlannedCheck, report: Report, known: KnownCheck | None) -> Report:
    """The report with its findings marked as known or new, and the exit code that an error or the new ones give.

    A finding is known if all its layers are; a note says which layers of another are new.
    """
    if report.status is Status.FAILED:
        return report
    before = set(_entries(known or KnownCheck()))
    findings = tuple(
        f if f.severity is Severity.NOTE else replace(f, known=set(_own_pairs(f)) <= before) for f in report.findings
    )
    partly = [
        f"{f.code}: {listing(new)} is new, its other layers are in the baseline"
        for f in findings
        if f.severity is not Severity.NOTE
        and 0 < len(new := [layer for code, layer in _own_pairs(f) if (code, layer) not in before]) < len(f.layers)
    ]
    code = report.exit_code if report.error else exit_code(findings, planned.spec.fail_on)
    return replace(report, findings=findings, exit_code=code, notes=(*report.notes, *partly))


def fixed_since(planned: PlannedCheck, report: Report, known: KnownCheck | None) -> tuple[str, ...]:
    """One line for each known rule of which layers are healthy now, and which the check still looks for."""
    if report.status is Status.FAILED or known is None:
        return ()
    spec = planned.spec
    waived = {(each.code, layer) for each in report.waived for layer in each.layers or ("",)}
    now = {*_pairs(report), *waived}
    fixed: dict[str, list[str]] = {}
    for code, layer in _entries(known):
        if (code, layer) not in now and chosen(code, _NAMES.get(code, ""), spec.select, spec.ignore):
            fixed.setdefault(code, []).append(layer)
    return tuple(
        f"fixed since the baseline: {code} {listing([layer for layer in layers if layer])}".rstrip()
        for code, layers in fixed.items()
    )


def _entries(known: KnownCheck) -> Iterator[tuple[str, str]]:
    return ((code, layer) for code, layers in known.findings.items() for layer in layers)


def _pairs(report: Report) -> Iterator[tuple[str, str]]:
    return (pair for f in report.findings if f.severity is not Severity.NOTE for pair in _own_pairs(f))


def _own_pairs(finding: Finding) -> Iterator[tuple[str, str]]:
    return ((finding.code, layer) for layer in finding.layers or ("",))
