"""What a report comes to in a word, in its worst finding and in a sentence: every format says the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum

from gradcheck_cli.records.choices import Severity, Status
from gradcheck_cli.records.report import Finding, Report, Waived
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.words import count_of, listing

_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


class CheckVerdict(str, Enum):
    """What a check means to the suite that it is part of.

    ALLOWED is ill or failed without failing the suite: expected, known, or below `--fail-on`. UNMET is a
    check that fails for want of a finding that it was to report.
    """

    FAILED = "failed"
    ILL = "ill"
    UNMET = "unmet"
    ALLOWED = "allowed"
    UNKNOWN = "unknown"
    OK = "ok"


def verdict(report: Report) -> CheckVerdict:
    """The verdict on one check, by its status and by whether it fails the suite."""
    if report.exit_code:
        return {Status.FAILED: CheckVerdict.FAILED, Status.ILL: CheckVerdict.ILL}.get(report.status, CheckVerdict.UNMET)
    return {Status.HEALTHY: CheckVerdict.OK, Status.UNKNOWN: CheckVerdict.UNKNOWN}.get(
        report.status, CheckVerdict.ALLOWED
    )


def by_severity(findings: tuple[Finding, ...]) -> list[Finding]:
    """Errors first, then warnings, then notes, and what is known last; otherwise in the order of the report."""
    return sorted(findings, key=lambda finding: (bool(finding.known), _RANK[finding.severity]))


def severity_in_words(finding: Finding) -> str:
    """`error`, or `error (known)` for what the baseline holds."""
    return finding.severity.value + " (known)" * bool(finding.known)


def serious(report: Report) -> list[Finding]:
    """The errors, then the warnings; those that are known come last."""
    return [f for f in by_severity(report.findings) if f.severity is not Severity.NOTE]


def worst_in_words(report: Report) -> str:
    """The gravest finding, or why there is none to name; empty for a healthy check."""
    if findings := serious(report):
        return "known: " * bool(findings[0].known) + f"{findings[0].code} {findings[0].message}"
    if report.error:
        return report.error.splitlines()[0]
    if verdict(report) is CheckVerdict.UNMET:
        return report.notes[-1] if report.notes else "a finding that it was to report is missing"
    return "no layer got a gradient that can be judged" if report.status is Status.UNKNOWN else ""


def finding_key(finding: Finding) -> str:
    """What tells one finding of a run from another: the same fault may be found at several steps."""
    return f"{finding.code} {finding.message} {finding.layers}"


def seconds_of(report: Report) -> float | None:
    """Wall time of the whole check in seconds, if it was taken."""
    return report.seconds.get("total")


def counts_in_words(suite: SuiteReport) -> str:
    """`30 checks: 1 failed, 2 ill, 27 ok`."""
    counts = Counter(verdict(report) for report in suite.checks)
    kinds = ", ".join(f"{counts[kind]} {kind.value}" for kind in CheckVerdict if counts[kind])
    return f"{count_of(len(suite.checks), 'check')}: {kinds}" if kinds else "no check"


def duration(seconds: float) -> str:
    """`0.8 s`, `72 s`, `12 min`."""
    if seconds < 600:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def facts(report: Report) -> list[str]:
    """`11 layers`, `loss 2.306 (guessed: cross_entropy)`, `batch 64`: what is known."""
    known = [count_of(len(report.layers), "layer")] if report.layers else []
    if report.loss is not None:
        source = f" ({report.loss_source})" if report.loss_source else ""
        known.append(f"loss {report.loss:.4g}{source}")
    if (batch := report.target.get("batch_size")) is not None:
        known.append(f"batch {batch}")
    return known


def outcome(report: Report) -> list[str]:
    """The facts, how many findings are hidden, and the exit code."""
    hidden = [f"{count_of(report.hidden, 'finding')} not shown"] if report.hidden else []
    return [*facts(report), *hidden, f"exit {report.exit_code}"]


def severities_in_words(findings: Sequence[Finding]) -> list[str]:
    """`2 errors`, `1 warning`: those that there are."""
    kinds = [(s, sum(f.severity is s for f in findings)) for s in (Severity.ERROR, Severity.WARNING)]
    return [count_of(count, severity.value) for severity, count in kinds if count]


def codes_in_words(findings: Sequence[Finding]) -> list[str]:
    """`3 layers GC201 vanishing-depth`, or the rule alone where it is not about layers."""
    layers: dict[str, set[str]] = {}
    for finding in findings:
        layers.setdefault(f"{finding.code} {finding.rule}", set()).update(finding.layers)
    return [f"{count_of(len(paths), 'layer')} {rule}" if paths else rule for rule, paths in layers.items()]


def waived_in_words(waived: Waived) -> str:
    """Which finding gradcheck.yaml ignores, and why."""
    return f"ignored {waived.code} {listing(waived.layers)}: {waived.reason}"
