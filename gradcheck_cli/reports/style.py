"""How a report should look: the choices of the command line that concern rendering."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Choices that change the look of a report, never its content or exit code.

    Attributes:
        width: Columns to fill; None takes the terminal's, or 100 where there is none.
        color: Whether to write ANSI colours.
        verbose: Whether to show every layer, remedy, series and number.
        quiet: Whether to show only the findings and the final line.
        unicode: Whether bars, dashes and non-ASCII names may be used; False writes pure ASCII.
    """

    width: int | None = None
    color: bool = False
    verbose: bool = False
    quiet: bool = False
    unicode: bool = True
