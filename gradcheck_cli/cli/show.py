"""`gradcheck show REPORT.json`."""

from __future__ import annotations

from typing import Annotated

import typer

from gradcheck_cli.cli.options import (
    Asked,
    Color,
    ColorChoice,
    Debug,
    Format,
    Outputs,
    Quiet,
    Verbose,
    finish,
)


def show(
    report: Annotated[str, typer.Argument(metavar="REPORT.json", help="A file that `check --output json=FILE` wrote.")],
    format: Format = "table",
    output: Outputs = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    color: ColorChoice = Color.AUTO,
    debug: Debug = False,
) -> None:
    """Show a saved report again, in any format; ends with 0 whatever the verdict was."""
    from gradcheck_cli.reports.jsonfile import read_report

    asked = Asked(format=format, outputs=tuple(output or ()), verbose=verbose, quiet=quiet, color=color, debug=debug)
    finish(asked, report, lambda: read_report(report), verdict=False)
