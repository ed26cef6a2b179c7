"""The report for a terminal: the layers, then the findings, then one line that says what came of it.

The findings come last because a terminal shows the end of what was printed.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Iterator

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from gradcheck_cli.records.choices import Decision, Severity, Status
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.series import Series
from gradcheck_cli.reports.findings import finding_block, note_line
from gradcheck_cli.reports.glyphs import shown, sparkline
from gradcheck_cli.reports.layertable import layer_table
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.verdicts import codes_in_words, facts, serious, severities_in_words, waived_in_words
from gradcheck_cli.words import count_of

LEAST_WIDTH = 20
STATUS_COLOR = {
    Status.HEALTHY: "bold green",
    Status.ILL: "bold red",
    Status.UNKNOWN: "bold yellow",
    Status.FAILED: "bold red",
}


def render_table(report: Report, style: Style) -> str:
    """The report as text for a terminal of `style.width` columns (at least 20)."""
    return page(_parts(report, style, page_width(style)), style)


def page_width(style: Style) -> int:
    """The columns that a style gives a page."""
    return max(LEAST_WIDTH, style.width or shutil.get_terminal_size((100, 24)).columns)


def page(parts: Iterable[RenderableType], style: Style) -> str:
    """Rich's renderables as text, without spaces at the ends of lines."""
    console = _console(page_width(style), style.color)
    for part in parts:
        console.print(part)
    file = console.file
    assert isinstance(file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def _console(width: int, color: bool) -> Console:
    # Nothing of the environment may change a report, and a small height would crop it.
    return Console(
        file=io.StringIO(),
        width=width,
        height=100_000,
        color_system="standard" if color else None,
        force_terminal=color,
        force_jupyter=False,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )


def _parts(report: Report, style: Style, width: int) -> Iterator[RenderableType]:
    if not style.quiet:
        yield from opening(report, style, width)
    for place, finding in enumerate(serious(report)):
        yield finding_block(finding, style, first=place == 0)
        yield ""
    if report.status is Status.FAILED:
        yield from (_text(line, style) for line in report.error.splitlines())
        yield ""
    if not style.quiet and (notes := _notes(report, style)):
        yield from notes
        yield ""
    yield _final(report, style)


def opening(report: Report, style: Style, width: int) -> Iterator[RenderableType]:
    """What was checked, its layers, and its gradient through time."""
    yield from _header(report, style, width)
    yield ""
    if report.layers:
        yield Padding(layer_table(report, style, width - 2), (0, 0, 0, 2))
        yield ""
    if series := _series_lines(report.series, style, width):
        yield from series
        yield ""


def _header(report: Report, style: Style, width: int) -> list[Text]:
    name = _text(report.name, style, "bold")
    line = _text("   ".join(facts(report)), style)
    if name.cell_len + line.cell_len + 3 > width:
        return [name, line] if line else [name]
    return [Text.assemble(name, "   ", line)]


def _series_lines(series: tuple[Series, ...], style: Style, width: int) -> list[Padding]:
    distinct = {(one.steps, one.norms): one for one in reversed(series)}
    worst_first = sorted(distinct.values(), key=lambda one: (one.attenuation, one.parameter))
    chosen = worst_first if style.verbose else worst_first[:1]
    return [line for one in chosen for line in _series_block(one, style, width)]


def _series_block(one: Series, style: Style, width: int) -> list[Padding]:
    line = sparkline(one.norms, min(60, width - 4), style.unicode)
    facts = f"horizon {one.horizon} of {one.steps} steps, {one.attenuation:+.2g} decades per step"
    texts = (Text(line, "cyan"), _text(f"|grad| first to last step: {facts}", style))
    return [Padding(text, (0, 0, 0, 2)) for text in texts]


def _notes(report: Report, style: Style) -> list[Text]:
    notes = [note_line(f, style) for f in report.findings if f.severity is Severity.NOTE]
    notes += [_text(f"note  {line}", style, "dim") for line in report.notes]
    if style.verbose:
        notes += [_text(waived_in_words(w), style, "dim") for w in report.waived]
        notes += [_text(f"picked {line}", style, "dim") for line in _picked(report)]
        took = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in report.seconds.items())
        versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
        notes += [_text(f"{label}  {text}", style, "dim") for label, text in (("took", took), ("with", versions))]
    return notes


def _picked(report: Report) -> list[object]:
    # A report that was read back may hold anything here.
    picked = report.target.get("picked")
    return list(picked) if isinstance(picked, list | tuple) else []


def _final(report: Report, style: Style) -> Text:
    unseen = [f"{count_of(report.hidden, 'finding')} not shown (--select, --ignore)"] if report.hidden else []
    parts = [*_verdict(report), *unseen, f"exit {report.exit_code}"]
    return _text(" · ".join(parts), style, STATUS_COLOR[report.status])


_OPEN = (Decision.UNDECIDED, Decision.NOT_TRIED)


def _verdict(report: Report) -> list[str]:
    layers = count_of(len(report.layers), "layer")
    if report.status is Status.FAILED:
        return ["could not be checked"]
    if report.status is Status.HEALTHY:
        open_ = sum(f.opinion is not None and f.opinion.decision in _OPEN for f in report.findings)
        undecided = [f"{open_} undecided"] if open_ else []
        clean = "nothing ill found" if undecided else "healthy"
        return ["no finding shown" if report.hidden else clean, layers, *undecided]
    if report.status is Status.UNKNOWN:
        return ["unknown: no layer got a gradient that can be judged", layers]
    findings = serious(report)
    known = sum(bool(finding.known) for finding in findings)
    return [*severities_in_words(findings), *([f"{known} known"] if known else []), *codes_in_words(findings)]


def _text(text: str, style: Style, look: str = "") -> Text:
    return Text(shown(text, style.unicode), style=look)
