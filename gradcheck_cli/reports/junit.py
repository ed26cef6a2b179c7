"""JUnit XML: one testcase a check, in pure ASCII with character references.

The elements and attributes are those of the schema of Ant's JUnitReport, which CI servers read
(https://github.com/windyroad/JUnit-Schema).
"""

from __future__ import annotations

from datetime import datetime, timezone
from xml.etree import ElementTree as ET

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.reports.glyphs import shown
from gradcheck_cli.reports.plain import finding_lines, suite_of_one, suspicions_in_words
from gradcheck_cli.reports.runreport import run_report
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.verdicts import CheckVerdict, seconds_of, serious, severity_in_words, verdict, worst_in_words

_ELEMENT = {
    CheckVerdict.FAILED: "error",
    CheckVerdict.ILL: "failure",
    CheckVerdict.UNMET: "failure",
    CheckVerdict.UNKNOWN: "skipped",
}


def render_report(report: Report, style: Style) -> str:
    """A suite of one testcase; `style` changes nothing."""
    return render_suite(suite_of_one(report), style)


def render_run(run: Timeline, style: Style) -> str:
    """A suite of one testcase, the script; `style` changes nothing."""
    return render_report(run_report(run), style)


def render_suite(suite: SuiteReport, style: Style) -> str:
    """One testcase a check; `style` changes nothing, and the timestamp is the time of writing."""
    elements = [_ELEMENT.get(verdict(report)) for report in suite.checks]
    root = ET.Element("testsuites")
    child = ET.SubElement(
        root,
        "testsuite",
        id="0",
        name=_token(suite.name) or "gradcheck",  # the schema has no empty name
        package="gradcheck",
        timestamp=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S"),
        hostname="localhost",
        tests=str(len(elements)),
        failures=str(elements.count("failure")),
        errors=str(elements.count("error")),
        skipped=str(elements.count("skipped")),
        time=f"{suite.seconds:.3f}",
    )
    ET.SubElement(child, "properties")
    for report in suite.checks:
        _testcase(child, report)
    ET.SubElement(child, "system-out").text = "\n".join(shown(note) for note in suite.notes)
    ET.SubElement(child, "system-err").text = shown(suite.error)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
    return text.decode("ascii") + "\n"


def _testcase(parent: ET.Element, report: Report) -> None:
    seconds = f"{seconds_of(report) or 0.0:.3f}"
    case = ET.SubElement(parent, "testcase", name=_token(report.name), classname="gradcheck", time=seconds)
    kind = verdict(report)
    if element := _ELEMENT.get(kind):
        found = ET.SubElement(case, element, message=shown(worst_in_words(report)))
        if element != "skipped":
            found.set("type", shown(next((f.code for f in serious(report)), kind.value)))
        found.text = "\n".join(_lines(report))


def _lines(report: Report) -> list[str]:
    lines = [shown(line) for line in (*report.error.splitlines(), *suspicions_in_words(report), *report.notes)]
    for finding in serious(report):
        place = f" at {finding.source.file}:{finding.source.line}" if finding.source else ""
        lines.append(shown(f"{finding.code} {severity_in_words(finding)}: {finding.message}{place}"))
        lines += [f"  {line}" for line in finding_lines(finding)]
    return lines


def _token(text: str) -> str:
    """A name as an XML token, which holds no outer or doubled spaces."""
    return " ".join(shown(text).split())
