"""`gradcheck rule [CODE]`."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from gradcheck_cli.cli.writing import emit
from gradcheck_cli.errors import UsageError
from gradcheck_cli.records.causes import CAUSES
from gradcheck_cli.records.thresholds import BOUNDS, Thresholds

if TYPE_CHECKING:
    from gradcheck_cli.records.report import Remedy
    from gradcheck_cli.rules import AlarmRule, Rule

_WIDTH = 100
_SCREEN, _FEW = 30, 8
"""Lines of an explanation, and causes in it, that are shown without being asked for all."""
_INDENTED = textwrap.TextWrapper(
    _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False
)


def rule(
    code: Annotated[
        str | None,
        typer.Argument(metavar="[CODE]", help="A code (GC201), a prefix (GC2) or a name.", show_default=False),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every cause and remedy, with its source.")] = False,
) -> None:
    """Explain a rule: what it means, its causes and what to try; without CODE list all of them."""
    from gradcheck_cli.rules import EVERY_RULE

    found = tuple(sorted(matching(code, EVERY_RULE) if code else EVERY_RULE, key=lambda each: each.code))
    if len(found) > 1:
        emit(listed(found))
        return
    full = explained(found[0])
    emit(full if verbose or full.count("\n") <= _SCREEN else in_brief(found[0]))


def matching(code: str, rules: tuple[Rule | AlarmRule, ...]) -> tuple[Rule | AlarmRule, ...]:
    """The rules that a code, a code's beginning or a name stands for.

    Raises:
        UsageError: None is.
    """
    from gradcheck_cli.rules import no_such_rule

    found = tuple(each for each in rules if each.code.startswith(code.upper()) or each.name == code.lower())
    if not found:
        raise UsageError(no_such_rule(code), hint="`gradcheck rule` lists them.")
    return found


def listed(rules: tuple[Rule | AlarmRule, ...]) -> str:
    """A table of rules: code, name, severity, causes."""
    rows = [(each.code, each.name, each.severity.value) for each in rules]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines: list[str] = []
    for row, each in zip(rows, rules, strict=True):
        start = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        causes = ", ".join(each.causes)
        lines += textwrap.wrap(
            f"{start}  {causes}",
            width=_width(),
            subsequent_indent=" " * min(len(start) + 2, _width() // 2),
            break_on_hyphens=False,
        )
    return "\n".join(lines) + "\n\n`gradcheck rule CODE` explains one.\n"


def _width() -> int:
    """Columns to fill: the terminal's, at least 40, and 100 where there is none."""
    return max(40, shutil.get_terminal_size((_WIDTH, 24)).columns) if sys.stdout.isatty() else _WIDTH


def explained(each: Rule | AlarmRule) -> str:
    """One rule in full: what it means, every cause with the numbers of its remedies, these, and how to silence it."""
    from gradcheck_cli.remedies import each_once, remedies_for

    lines = [f"{each.code} {each.name} ({each.family.value}, {each.severity.value})", "", each.explanation, ""]
    remedies = each_once(each.causes)
    lines += ["Causes, with the numbers of what to try in this order:" if remedies else "Causes:"]
    for cause in each.causes:
        numbers = ", ".join(str(remedies.index(remedy) + 1) for remedy in remedies_for(cause))
        lines += [f"  {cause}: {CAUSES[cause].meaning}{f' ({numbers})' if numbers else ''}"]
    lines += ["", "What to try:"] if remedies else []
    for place, remedy in enumerate(remedies, start=1):
        lines += _remedy(place, remedy)
    lines += _thresholds(each.code)
    lines += ["", f"Silence it with --ignore {each.code}, or --ignore {each.name}."]
    return "\n".join(lines) + "\n"


def in_brief(each: Rule | AlarmRule) -> str:
    """What a rule means, its first causes with what to try first, and how to silence it: about a screen."""
    from gradcheck_cli.remedies import remedies_for

    lines = [f"{each.code} {each.name} ({each.family.value}, {each.severity.value})", "", each.explanation, ""]
    lines += ["Causes, and what to try first:"]
    shown, others = each.causes[:_FEW], each.causes[_FEW:]
    width = max(map(len, shown))
    for cause in shown:
        remedy = next(iter(remedies_for(cause)), None)
        told = remedy.title if remedy else CAUSES[cause].meaning
        lines += [f"  {cause:<{width}}  {told}"]
    lines += (
        textwrap.wrap(
            f"and {', '.join(others)}", _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
        if others
        else []
    )
    more = f"`gradcheck rule {each.code} --verbose` tells what each means, every remedy and its source."
    return "\n".join([*lines, "", more, f"Silence it with --ignore {each.code}, or --ignore {each.name}."]) + "\n"


def _thresholds(code: str) -> list[str]:
    """The numbers of a rule, with their defaults and sources: those that gradcheck.yaml can move, then the others."""
    usual, lines = Thresholds(), list[str]()
    for movable, title in (
        (True, "Thresholds, which gradcheck.yaml can move:"),
        (False, "Numbers that stay as they are:"),
    ):
        mine = {name: bounds for name, bounds in BOUNDS.items() if bounds.rule == code and bounds.movable is movable}
        lines += ["", title] if mine else []
        for name, bounds in mine.items():
            lines += [f"  {name} = {getattr(usual, name):g}: {bounds.meaning}", *_INDENTED.wrap(bounds.source)]
    return lines


def _remedy(place: int, remedy: Remedy) -> list[str]:
    lines = [f"{place:>4}. {remedy.title}"]
    for text in (remedy.detail, f"Not {remedy.unless}.", f"Source: {remedy.source}"):
        lines += _INDENTED.wrap(text)
    return [*lines, f"        {remedy.code}"] if remedy.code else lines
