"""`gradcheck show REPORT.json [LATER.json]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gradcheck_cli.cli.options import (
    Color,
    ColorChoice,
    Debug,
    Format,
    OutputOptions,
    Outputs,
    Quiet,
    Redact,
    Verbose,
    check_formats,
    finish,
)
from gradcheck_cli.errors import UsageError
from gradcheck_cli.reports import COMPARING

if TYPE_CHECKING:
    from gradcheck_cli.reports import Result
    from gradcheck_cli.reports.comparison import ReportComparison


def show(
    report: Annotated[str, typer.Argument(metavar="REPORT.json", help="What `--output json=FILE` wrote.")],
    later: Annotated[
        str | None,
        typer.Argument(metavar="LATER.json", help="A later run, to compare with.", show_default=False),
    ] = None,
    format: Format = "table",
    output: Outputs = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    color: ColorChoice = Color.AUTO,
    redact: Redact = False,
    debug: Debug = False,
) -> None:
    """Show a saved report, suite or run again, or compare two; ends with 0 whatever the verdict was."""
    asked = OutputOptions(
        format=format,
        outputs=tuple(output or ()),
        verbose=verbose,
        quiet=quiet,
        color=color,
        redact=redact,
        debug=debug,
    )

    def work() -> Result:
        from gradcheck_cli.reports.jsonfile import read_saved

        return read_saved(report) if later is None else _compared(report, later, asked)

    finish(asked, report, work, verdict=False, given=(report, later))


_KINDS = {"Report": "a report", "SuiteReport": "a suite", "Timeline": "the run of a script"}


def _compared(report: str, later: str, asked: OutputOptions) -> ReportComparison:
    """The two files compared.

    Raises:
        UsageError: A format cannot show a comparison, or the two files hold different kinds of things.
    """
    from gradcheck_cli.records.timeline import Timeline
    from gradcheck_cli.reports.comparison import compare
    from gradcheck_cli.reports.jsonfile import read_saved
    from gradcheck_cli.reports.runcomparison import compare_runs

    check_formats(asked, COMPARING, "two runs compared")
    before, after = read_saved(report), read_saved(later)
    if isinstance(before, Timeline) and isinstance(after, Timeline):
        return compare_runs(before, after, (report, later))
    if isinstance(before, Timeline) or isinstance(after, Timeline) or type(before) is not type(after):
        one, other = (_KINDS[type(each).__name__] for each in (before, after))
        hint = "Give two of `gradcheck check`, two of `gradcheck batch`, or two of `gradcheck run`."
        raise UsageError(f"{report} and {later}: one holds {one}, the other {other}", hint=hint)
    return compare(before, after, (report, later))
