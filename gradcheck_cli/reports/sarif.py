"""SARIF 2.1.0 (OASIS standard), as code scanning reads it: rules with help, locations and fingerprints.

Nothing in it tells of the machine: locations are relative to the current folder, and sources that lie
elsewhere have a logical location, the layer, only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from gradcheck_cli import __version__
from gradcheck_cli.records.choices import Severity, Status
from gradcheck_cli.records.report import Finding, Report, Waived
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.remedies import remedies_for
from gradcheck_cli.reports.glyphs import shown
from gradcheck_cli.reports.plain import below_here, finding_lines, level, suite_of_one, without_folders
from gradcheck_cli.reports.runreport import run_report
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.verdicts import by_severity, worst_in_words
from gradcheck_cli.rules import EVERY_RULE, AlarmRule, Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_INDEX = {rule.code: index for index, rule in enumerate(EVERY_RULE)}


def render_report(report: Report, style: Style) -> str:
    """A log with one run; `style` changes nothing."""
    return render_suite(suite_of_one(report), style)


def render_run(run: Timeline, style: Style) -> str:
    """A log with one run, its results the findings with their steps; `style` changes nothing."""
    return render_report(run_report(run), style)


def render_suite(suite: SuiteReport, style: Style) -> str:
    """A log with one run over all checks, in pure ASCII; `style` changes nothing."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(suite)]}
    return json.dumps(log, indent=2, allow_nan=False) + "\n"


def _run(suite: SuiteReport) -> dict[str, Any]:
    failures = [_notification(report) for report in suite.checks if report.error or report.status is Status.FAILED]
    done = not any(report.status is Status.FAILED and report.exit_code for report in suite.checks)
    return {
        "tool": {"driver": _driver()},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": done, "toolExecutionNotifications": failures}],
        "results": [result for report in suite.checks for result in _results(report)],
    }


def _driver() -> dict[str, Any]:
    return {"name": "gradcheck", "semanticVersion": __version__, "rules": [_rule(rule) for rule in EVERY_RULE]}


def _rule(rule: Rule | AlarmRule) -> dict[str, Any]:
    explanation = rule.explanation
    return {
        "id": rule.code,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": explanation.split("\n\n")[0].replace("\n", " ")},
        "fullDescription": {"text": explanation},
        "help": {"text": _help(rule, explanation)},
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
        "properties": {"tags": [rule.family.value]},
    }


def _help(rule: Rule | AlarmRule, explanation: str) -> str:
    lines = [explanation, "", "Causes, and what to try in this order:"]
    for cause in rule.causes:
        lines.append(f"{cause}:")
        lines += [f"  - {remedy.title}: {remedy.detail} Not {remedy.unless}." for remedy in remedies_for(cause)]
    return "\n".join([*lines, "", f"Silence it with --ignore {rule.code}."])


def _results(report: Report) -> Iterator[dict[str, Any]]:
    lines: dict[str, list[int]] = {}
    for finding in by_severity(report.findings):
        of_these = lines.setdefault(_fingerprint(report, finding), [])
        line = finding.source.line if finding.source else 0
        of_these += [line] if line not in of_these else []
        yield _result(report, finding, of_these.index(line))
    yield from (_suppressed(report, waived) for waived in report.waived)


def _suppressed(report: Report, waived: Waived) -> dict[str, Any]:
    """A finding that gradcheck.yaml ignores, with the reason given there."""
    return {
        "ruleId": shown(waived.code),
        "level": "note",
        "message": {"text": _message(f"{shown(report.name)}: {shown(waived.rule)}")},
        "locations": [{"logicalLocations": _logical(report, waived.layers)}],
        "suppressions": [{"kind": "external", "status": "accepted", "justification": shown(waived.reason)}],
    }


def _result(report: Report, finding: Finding, twin: int) -> dict[str, Any]:
    text = "\n".join([f"{shown(report.name)}: {shown(finding.message)}", *finding_lines(finding)])
    index = {"ruleIndex": _INDEX[finding.code]} if finding.code in _INDEX else {}
    return {
        "ruleId": shown(finding.code),
        **index,
        "level": _LEVEL[level(report, finding)],
        **({} if finding.known is None else {"baselineState": "unchanged" if finding.known else "new"}),
        "message": {"text": _message(text)},
        "locations": [_location(report, finding)],
        "partialFingerprints": {"gradcheckFinding/v2": _fingerprint(report, finding, twin)},
    }


def _location(report: Report, finding: Finding) -> dict[str, Any]:
    logical = _logical(report, finding.layers)
    source = finding.source
    file = below_here(source.file) if source else None
    if source is None or file is None or source.line < 1:
        return {"logicalLocations": logical}
    region: dict[str, Any] = {"startLine": source.line}
    if source.code.strip():
        region["snippet"] = {"text": shown(source.code.strip())}
    uri = {"uri": quote(file, errors="backslashreplace"), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": uri, "region": region}, "logicalLocations": logical}


def _logical(report: Report, layers: tuple[str, ...]) -> list[dict[str, Any]]:
    paths = [f"{report.name}/{layer}" for layer in layers] or [report.name]
    return [{"fullyQualifiedName": without_folders(shown(path)), "kind": "module"} for path in paths]


def _fingerprint(report: Report, finding: Finding, twin: int = 0) -> str:
    """The same for the same fault in the same line of the same check, at whatever step, wherever the line has moved to.

    As in GitHub's own, which it makes of the line where there is no `primaryLocationLineHash`, the text of the line
    counts and not its number; lines with the same text are told apart by the order in which they come.

    Args:
        report: The check's.
        finding: The finding.
        twin: How many lines with the same text have it, too, and came before.
    """
    source = finding.source
    line = (below_here(source.file), source.code.strip()) if source else ()
    parts = [report.name, finding.code, finding.cause, finding.layers, line, *([twin] if twin else [])]
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()[:32]


def _notification(report: Report) -> dict[str, Any]:
    why = report.error.partition("\n")[0] or worst_in_words(report) or "could not be checked"
    text = f"{shown(report.name)}: {shown(why)}"
    return {"level": "error" if report.exit_code else "note", "message": {"text": _message(text)}}


def _message(text: str) -> str:
    """A message string without placeholders or links (section 3.11 of the standard)."""
    return without_folders(text).replace("{", "{{").replace("}", "}}").replace("](", "\\](")
