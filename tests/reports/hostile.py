"""Reports whose every word was chosen to break what shows it."""

import dataclasses

from hypothesis import strategies as st

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.suite import SuiteReport
from tests.reports.examples import failed, finding, layer, named, report, suite_of

PIECES = (
    "::error::owned",
    "\n::error file=a::b",
    "%0A::warning::",
    "\r\n::set-output name=a::b",
    "]]>",
    "<!--",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "&amp;&#0;",
    "|",
    "`",
    "```\n# h\n```",
    "\\|",
    "**bold**",
    "_x_",
    "[a](https://example.org)",
    "![i](https://example.org/x.png)",
    "https://example.org",
    "@someone",
    "#1",
    ":smile:",
    "\x1b[31m",
    "\x1b]0;t\x07",
    "\x00",
    "\u202e",
    "\ud800",
    "\ufffe",
    "{0}",
    "{{ 7*7 }}",
    "{% raw %}",
    "[red]",
    "[/b]",
    "слой",
    "層" * 400,
    "a" * 5000,
    " ",
    "\t",
)
NAMES = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), min_size=1, max_size=4).map("".join)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """An ill report, or one that could not be made."""
    name, path, words = draw(NAMES), draw(NAMES), draw(NAMES)
    if draw(st.booleans()):
        return named(name, failed, error=words)
    ill = finding(
        (path,),
        message=words,
        why=draw(NAMES),
        source=SourceLine(file=draw(NAMES), line=draw(st.integers(1, 9)), code=draw(NAMES)),
    )
    remedy = dataclasses.replace(ill.remedies[0], title=draw(NAMES), detail=draw(NAMES), code=draw(NAMES))
    ill = dataclasses.replace(ill, remedies=(remedy, *ill.remedies))
    layers = (layer(path, -8.0, "GC201", kind=draw(NAMES)),)
    return report(name=name, status=Status.ILL, exit_code=1, layers=layers, findings=(ill,), notes=(words,))


@st.composite
def suites(draw: st.DrawFn) -> SuiteReport:
    """A suite of up to two such reports."""
    return suite_of(*draw(st.lists(reports(), max_size=2)), name=draw(NAMES), error=draw(NAMES))
