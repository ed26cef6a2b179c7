"""Two runs compared, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck_cli.reports.comparison import (
    CheckComparison,
    Move,
    ReportComparison,
    change_in_words,
    course_in_words,
    farthest,
    moved_in_words,
    summary,
    verdict_change,
)
from gradcheck_cli.reports.glyphs import figure, shown
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.table import page
from gradcheck_cli.words import count_of

_COLOR = {"new": "bold red", "fixed": "bold green", "still": "yellow"}


def render_comparison(comparison: ReportComparison, style: Style) -> str:
    """The comparison as text for a terminal of `style.width` columns (at least 20)."""
    return page(_parts(comparison, style), style)


def _parts(comparison: ReportComparison, style: Style) -> Iterator[RenderableType]:
    yield _text(f"{comparison.before} → {comparison.after}", style, "bold")
    yield ""
    shown_checks = [one for one in comparison.checks if style.verbose or one.changed]
    for check in shown_checks:
        yield from _check(check, style)
        yield ""
    if left := len(comparison.checks) - len(shown_checks):
        yield _text(f"{count_of(left, 'check')} without a change", style, "dim")
    yield _text(summary(comparison), style, "bold")


def _check(check: CheckComparison, style: Style) -> Iterator[RenderableType]:
    yield Text.assemble(_text(check.name, style, "bold"), "  ", _text(verdict_change(check), style))
    rows = [
        ("new", check.new),
        ("fixed", check.fixed),
        ("still", () if style.quiet else check.still),
    ]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, changes in rows:
        for change in changes:
            table.add_row(_text(label, style, _COLOR[label]), _text(change_in_words(change), style))
    if table.row_count:
        yield Padding(table, (0, 0, 0, 2))
    yield from (Padding(_text(course_in_words(course), style), (0, 0, 0, 2)) for course in check.courses)
    if moves := check.moves if style.verbose else farthest(check):
        yield Padding(_moves(moves, style), (0, 0, 0, 2))
        if left := len(check.moves) - len(moves):
            yield _text(f"  {left} smaller moves with --verbose", style, "dim")


def _moves(moves: Sequence[Move], style: Style) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("layer", overflow="fold")
    for title in ("before", "after", "moved"):
        table.add_column(title, no_wrap=True, justify="right")
    for move in moves:
        cells = (figure(move.before, ".1f"), figure(move.after, ".1f"), moved_in_words(move))
        table.add_row(_text(move.layer, style), *(_text(cell, style) for cell in cells))
    return table


def _text(text: str, style: Style, look: str = "") -> Text:
    return Text(shown(text, style.unicode), style=look)
