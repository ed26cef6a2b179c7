"""Evidence in, a verdict out: every rule in turn, less what is explained or silenced by those before it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.judging import Choice, FindingNumber, Verdict
from gradcheck_cli.records.report import Finding, Opinion
from gradcheck_cli.records.verdict import gravest_first, with_status
from gradcheck_cli.rules.choosing import chosen
from gradcheck_cli.rules.rule import Diagnosis, Rule
from gradcheck_cli.rules.ruletable import BY_CODE, RULES
from gradcheck_cli.rules.waivers import waive

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def judge(evidence: Evidence, choice: Choice = Choice()) -> Verdict:  # noqa: B008 - frozen
    """Judge a measurement by the evidence gathered from it.

    `choice` says what is shown. What explains what is decided over all rules, so that leaving out a cause does not
    bring up its consequences.
    """
    found = tuple(_explaining(evidence))
    wanted = tuple(f for f in found if chosen(f.code, f.rule, choice.select, choice.ignore))
    findings, waived = waive(wanted, choice.waivers)
    return Verdict(
        layers=with_status(evidence.layers.values(), findings),
        findings=gravest_first(findings),
        hidden=_ill(found) - _ill(findings),
        waived=waived,
    )


def read(evidence: Evidence, finding: Finding) -> FindingNumber | None:
    """The number that `finding` was raised on, in this evidence; None where its rule has none, or it is not finite."""
    rule = BY_CODE.get(finding.code)
    found = rule.reading(evidence, finding.layers) if rule is not None and rule.reading is not None else None
    return found if found is not None and math.isfinite(found.value) else None


def _ill(findings: tuple[Finding, ...]) -> int:
    return sum(finding.severity is not Severity.NOTE for finding in findings)


def _explaining(evidence: Evidence) -> Iterator[Finding]:
    """Findings in the order of the table, less the consequences of those before them."""
    explained: dict[str, str] = {}  # by layer, the cause
    suspected: dict[str, str] = {}  # likewise, of suspicions, which explain no more than others
    silenced: set[str] = set()
    told: set[str] = set()  # the causes of what is ill or suspected
    for rule in RULES:
        if any(rule.code.startswith(prefix) for prefix in silenced):
            continue
        for diagnosis in rule.check(evidence):
            finding = _finding(evidence, rule, diagnosis)
            ill = finding.severity is not Severity.NOTE
            if not ill and not finding.opinion and finding.cause in told:
                continue  # a note has nothing to add to an illness of the same cause
            if (ill or finding.opinion) and _is_explained(finding, explained):
                continue
            if finding.opinion and _is_explained(finding, suspected):
                continue
            if finding.opinion:
                suspected |= dict.fromkeys(finding.layers, finding.cause)
            if ill:
                explained |= dict.fromkeys(finding.layers, finding.cause)
                silenced.update(rule.silences)
            if ill or finding.opinion:
                told.add(finding.cause)
            yield finding


def _finding(evidence: Evidence, rule: Rule, diagnosis: Diagnosis) -> Finding:
    """What a rule found, with what its row knows."""
    op, source = diagnosis.op, diagnosis.source
    if isinstance(op, int):
        source = source or evidence.graph.source_of(op)
        op = evidence.graph.op(op).name
    severity = diagnosis.severity or rule.severity
    return Finding(
        code=rule.code,
        rule=rule.name,
        family=rule.family,
        severity=Severity.NOTE if diagnosis.doubt else severity,
        opinion=Opinion(about=diagnosis.doubt, severity=severity) if diagnosis.doubt else None,
        layers=diagnosis.layers,
        cause=diagnosis.cause,
        message=diagnosis.message,
        why=diagnosis.why,
        op=op,
        source=source,
        evidence=diagnosis.numbers,
        shares=diagnosis.shares,
    )


def _is_explained(finding: Finding, explained: Mapping[str, str]) -> bool:
    """Whether all layers of a finding are explained, or some of them by the very cause that it names."""
    known = [explained[layer] for layer in finding.layers if layer in explained]
    return bool(known) and (len(known) == len(finding.layers) or finding.cause in known)
