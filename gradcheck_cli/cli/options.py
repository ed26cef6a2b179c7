"""Options that several commands share, and the frame in which every command does its work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gradcheck_cli.cli.failing import as_error, tell
from gradcheck_cli.cli.writing import PAGE_WIDTH, Output, deliver, emit, own_stdout, parse_format, parse_outputs
from gradcheck_cli.errors import GradcheckError, UsageError
from gradcheck_cli.reports import FORMATS, Style

if TYPE_CHECKING:
    from gradcheck_cli.records.suite import PlannedCheck
    from gradcheck_cli.reports import Result

OUTPUT, BASELINE, RUN = "Output", "Baseline", "Run"
"""The headings of these options in the help."""


class Color(str, Enum):
    """When to write colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


Format = Annotated[
    str,
    typer.Option("--format", metavar="|".join(FORMATS), help="What to write to stdout.", rich_help_panel=OUTPUT),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option("--output", metavar="FORMAT=PATH", help="Also write a file; repeatable.", rich_help_panel=OUTPUT),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Every layer, remedy and number.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only the findings and the last line.", rich_help_panel=OUTPUT)
]
ColorChoice = Annotated[
    Color,
    typer.Option("--color", help="Colours; auto also respects NO_COLOR.", rich_help_panel=OUTPUT),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the full traceback of a failure.", rich_help_panel=OUTPUT)]


BaselineFile = Annotated[
    str | None,
    typer.Option(
        "--baseline", metavar="FILE", help="Findings that it holds fail nothing; new ones do.", rich_help_panel=BASELINE
    ),
]
UpdateBaseline = Annotated[
    bool,
    typer.Option(
        "--update-baseline",
        help="Write the baseline: what is found now is known, what is fixed is gone.",
        rich_help_panel=BASELINE,
    ),
]
DriftLimit = Annotated[
    float | None,
    typer.Option(
        "--drift",
        min=0.001,
        metavar="DECADES",
        help="Report a layer whose gradient moved farther from the baseline.",
        rich_help_panel=BASELINE,
    ),
]


Timeout = Annotated[
    float | None,
    typer.Option(min=0.001, metavar="SECONDS", help="End a check after this long.", rich_help_panel=RUN),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="End a check that uses more memory, as 4GB.", rich_help_panel=RUN),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the output options asked for, as yet unchecked."""

    format: str = "table"
    outputs: tuple[str, ...] = ()
    verbose: bool = False
    quiet: bool = False
    color: Color = Color.AUTO
    debug: bool = False

    def style(self) -> Style:
        """How a report on stdout should look."""
        unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
        terminal = sys.stdout.isatty()
        return Style(
            # Off a terminal neither COLUMNS nor the terminal behind stderr may change what is written.
            width=None if terminal else PAGE_WIDTH,
            color=colored(self.color, terminal=terminal),
            verbose=self.verbose,
            quiet=self.quiet,
            unicode=unicode,
        )


def colored(color: Color, *, terminal: bool) -> bool:
    """Whether to write colours to a stream, by the option, https://no-color.org and the terminal."""
    if color is not Color.AUTO:
        return color is Color.ALWAYS
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def size_of(text: str | None) -> int | None:
    """The bytes that --max-memory allows.

    Raises:
        UsageError: It is no amount.
    """
    if text is None:
        return None
    from gradcheck_cli.records.size import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"--max-memory: {error}", hint="Write --max-memory 4GB.") from error


def check_limits(planned: Sequence[PlannedCheck]) -> None:
    """See that the limits of memory can be kept.

    Raises:
        UsageError: One is set, and this system does not tell what a process uses.
    """
    from gradcheck_cli.suite.memory import can_be_limited

    if any(one.max_memory for one in planned) and not can_be_limited():
        raise UsageError("max_memory: this system does not tell what memory a process uses; Linux does")


def check_formats(asked: Asked, able: Sequence[str], what: str) -> None:
    """See that every format that is asked for can show something.

    Args:
        asked: The formats, among other things.
        able: Those that can.
        what: What is to be shown, such as "a run".

    Raises:
        UsageError: One cannot.
    """
    for format in (asked.format, *(text.partition("=")[0] for text in asked.outputs)):
        if format in FORMATS and format not in able:
            raise UsageError(f"the format `{format}` cannot show {what}", hint=f"Use one of {', '.join(able)}.")


def config_file(config: str | None, no_config: bool) -> Path | None:
    """The gradcheck.yaml to use: the one that is named, none, or the nearest.

    Raises:
        UsageError: Both --config and --no-config are given.
    """
    if no_config:
        if config is not None:
            raise UsageError("--config and --no-config are both given", hint="Keep one of the two.")
        return None
    from gradcheck_cli.config import find_config

    if config is not None:
        return Path(config)
    found = find_config(Path.cwd())
    return found and Path(os.path.relpath(found))  # so that a report reads the same on any machine


def finish(
    asked: Asked,
    name: str,
    work: Callable[[], Result],
    *,
    verdict: bool = True,
    quiet: AbstractContextManager[object] | None = None,
) -> NoReturn:
    """Do a command's work, write its report and end with its exit code, whatever is raised.

    Args:
        asked: The output options.
        name: What the report is called if there is none.
        work: Makes the report, the suite or the comparison.
        verdict: Whether the report's own exit code is the command's.
        quiet: What keeps others off stdout; left once the document is written, since their threads may live on.
    """
    style, stdout = asked.style(), own_stdout()
    outputs: tuple[Output, ...] = ()
    failed: GradcheckError | None = None
    with quiet or nullcontext():
        try:
            parse_format(asked.format)
            outputs = parse_outputs(asked.outputs)
            result: Result = work()
        except BaseException as raised:
            failed = as_error(raised)
            tell(failed, raised if asked.debug else None)
            from gradcheck_cli.records.report import failed_report

            result = failed_report(name, failed)
        unwritten, document = deliver(result, outputs, _document(asked, failed), style)
        if document is not None:
            emit(document, stdout)
    if failed is not None:
        raise typer.Exit(failed.exit_code)
    raise typer.Exit(unwritten or (getattr(result, "exit_code", 0) if verdict else 0))


def _document(asked: Asked, failed: GradcheckError | None) -> str | None:
    """The format on stdout; a failure has no table, since the person who reads it has read stderr."""
    if failed is None:
        return asked.format
    return asked.format if asked.format in FORMATS and asked.format != "table" else None
