"""The table of layers, from the head down to the input."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Layer, Report
from gradcheck_cli.reports.folding import Fold, rows
from gradcheck_cli.reports.glyphs import bar, figure, shown
from gradcheck_cli.reports.style import Style

LEAST_SCALE = 4.0
"""Decades of a full bar where no layer lies further from the loss: a healthy model gets short bars."""
COLOR = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


@dataclass(frozen=True)
class _Look:
    """What fits into the width: the numbers, the bar, the rules' names."""

    style: Style
    grad: bool
    relative: bool
    decades: bool
    bar: int
    scale: float
    rules: dict[str, str]
    colors: dict[str, str]


def layer_table(report: Report, style: Style, width: int) -> Table:
    """One row a layer; columns that do not fit into `width` are left out, the verdict never."""
    look = _look(report, style, width)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("layer", overflow="fold", min_width=6)
    if look.grad:
        table.add_column("|grad|", no_wrap=True, justify="right")
    if look.relative:
        table.add_column("|grad|/|w|", no_wrap=True, justify="right")
    if look.decades:
        table.add_column("decades from loss" if look.bar else "decades", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=7, no_wrap=width >= 80)
    for row in rows(report.layers, report.findings, style.verbose):
        cells = _fold_cells(row, look) if isinstance(row, Fold) else _layer_cells(row, look)
        table.add_row(*cells)
    return table


def _look(report: Report, style: Style, width: int) -> _Look:
    bars = 16 if width >= 100 else 10 if width >= 70 else 0
    rules = {f.code: f.rule for f in report.findings} if width >= 90 else {}
    finite = [abs(x.decades) for x in report.layers if x.decades is not None and math.isfinite(x.decades)]
    return _Look(
        style=style,
        grad=_longest_name(report) <= width - _room(bars, width >= 60, rules),
        relative=width >= 60,
        decades=width >= 26,
        bar=bars,
        scale=max([LEAST_SCALE, *finite]),
        rules=rules,
        colors={f.code: COLOR[f.severity] for f in report.findings},
    )


def _longest_name(report: Report) -> int:
    return max((len(layer.path) for layer in report.layers), default=0)


def _room(bars: int, relative: bool, rules: dict[str, str]) -> int:
    """Columns that are taken beside the name where |grad| is shown.

    The decades are its logarithm, so |grad| is what goes first where long names need the room.
    """
    verdict = max((len(f"{code} {rule}") for code, rule in rules.items()), default=len("verdict"))
    decades = max(len("decades from loss"), bars + 6) if bars else len("decades")
    return verdict + decades + 2 + len("1.0e-01") + 2 + (12 if relative else 0) + 2


def _layer_cells(layer: Layer, look: _Look) -> list[Text]:
    color = _color(layer.status, look)
    cells = [Text(shown(layer.path or layer.kind, look.style.unicode), style="" if color == "green" else color)]
    if look.grad:
        cells.append(_text(_gradient(layer), look))
    if look.relative:
        cells.append(_text(figure(layer.relative_gradient), look))
    if look.decades:
        cells.append(_decades(layer, look, color))
    return [*cells, _verdict(layer.status, look)]


def _gradient(layer: Layer) -> str:
    """The norm, or what the gradient holds in place of numbers."""
    if layer.nan_count or layer.inf_count:
        return "nan" if layer.nan_count else "inf"
    return figure(layer.grad_norm)


def _decades(layer: Layer, look: _Look, color: str) -> Text:
    decades = figure(layer.decades, ".1f") if look.grad or layer.decades is not None else _gradient(layer)
    label = _text(f"{decades:>5}", look)
    if not look.bar:
        return label
    drawn = bar(layer.decades, look.scale, look.bar, look.style.unicode)
    return Text.assemble(label, " ", (drawn, color))


def _verdict(status: str, look: _Look) -> Text:
    rule = look.rules.get(status, "")
    return Text(shown(f"{status} {rule}".strip(), look.style.unicode), style=_color(status, look))


def _fold_cells(fold: Fold, look: _Look) -> list[Text]:
    single = fold.statuses[0][0] if len(fold.statuses) == 1 else ""
    words = {"ok": "healthy"}
    kinds = ", ".join(f"{count} {words.get(status, status)}" for status, count in fold.statuses)
    blank = [Text("")] * (look.grad + look.relative)
    span = ""
    if look.bar and fold.lowest is not None and fold.highest is not None:
        span = f"{fold.lowest:5.1f} .. {fold.highest:.1f}"
    label = f"… {fold.count} layers …"
    verdict = f"all {single}" if single else kinds
    decades = [_dim(span, look)] * look.decades
    return [_dim(label, look), *blank, *decades, _dim(verdict, look)]


def _color(status: str, look: _Look) -> str:
    return "green" if status == "ok" else look.colors.get(status, "dim")


def _text(text: str, look: _Look) -> Text:
    return Text(shown(text, look.style.unicode))


def _dim(text: str, look: _Look) -> Text:
    return Text(shown(text, look.style.unicode), style="dim")
