"""Options that several commands share, and the frame in which every command does its work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TextIO, TypeVar

import typer

from gradcheck_cli.cli.failing import as_error, tell
from gradcheck_cli.cli.writing import PAGE_WIDTH, Output, deliver, emit, own_stdout, parse_format, parse_outputs
from gradcheck_cli.errors import GradcheckError, UsageError
from gradcheck_cli.opening import working_folder
from gradcheck_cli.records.choices import FailOn
from gradcheck_cli.reports import FORMATS, Style

if TYPE_CHECKING:
    from gradcheck_cli.records.run import RunOptions
    from gradcheck_cli.records.spec import CheckSpec
    from gradcheck_cli.records.suite import PlannedCheck
    from gradcheck_cli.reports import Result

OUTPUT, BASELINE, RUN, VERDICT, REMEDIES = "Output", "Baseline", "Run", "Verdict", "Remedies"
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
Redact = Annotated[
    bool,
    typer.Option("--redact", help="Leave out values of the data, and folders: to be pasted.", rich_help_panel=OUTPUT),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the full traceback of a failure.", rich_help_panel=OUTPUT)]

Trials = Annotated[
    bool, typer.Option("--try/--no-try", help="Try the remedies on copies of the model.", rich_help_panel=REMEDIES)
]
TryBudget = Annotated[
    int,
    typer.Option(min=1, metavar="PASSES", help="Forward and backward passes for all trials.", rich_help_panel=REMEDIES),
]
Select = Annotated[
    list[str] | None,
    typer.Option(metavar="RULE", help="Only these codes, prefixes or names; repeatable.", rich_help_panel=VERDICT),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(metavar="RULE", help="Not these codes, prefixes or names; repeatable.", rich_help_panel=VERDICT),
]
LeastToFail = Annotated[
    FailOn | None,
    typer.Option(help="Least severity that gives exit code 1; warning if not given.", rich_help_panel=VERDICT),
]
ConfigFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Take select, ignore, fail_on and thresholds from the top of FILE, not of the nearest gradcheck.yaml.",
        rich_help_panel=VERDICT,
    ),
]
NoConfig = Annotated[bool, typer.Option("--no-config", help="Use no gradcheck.yaml.", rich_help_panel=VERDICT)]

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
class OutputOptions:
    """What the output options asked for, as yet unchecked."""

    format: str = "table"
    outputs: tuple[str, ...] = ()
    verbose: bool = False
    quiet: bool = False
    color: Color = Color.AUTO
    redact: bool = False
    debug: bool = False

    def style(self, stream: TextIO | None = None) -> Style:
        """How a report should look on a stream, which is stdout if none is given."""
        stream = stream or sys.stdout
        unicode = (stream.encoding or "").lower().replace("-", "").startswith("utf")
        terminal = stream.isatty()
        return Style(
            # Off a terminal neither COLUMNS nor the terminal behind another stream may change what is written.
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
    from gradcheck_cli.records.size import parse_limit

    try:
        return parse_limit(text)
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


def check_formats(asked: OutputOptions, able: Sequence[str], what: str) -> None:
    """See that every format that is asked for can show something.

    Args:
        asked: The formats, among other things.
        able: Those that can.
        what: What is to be shown, such as "two runs compared".

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
    found = find_config(working_folder())
    return found and Path(os.path.relpath(found))  # so that a report reads the same on any machine


_Ruled = TypeVar("_Ruled", "CheckSpec", "RunOptions")


def by_policy(asked: _Ruled, file: Path | None, fail_on: FailOn | None) -> tuple[_Ruled, tuple[str, ...]]:
    """What was asked, with verdicts made as a gradcheck.yaml says, and a note where that changes anything.

    Args:
        asked: With the options of the command line, which go before those of the file.
        file: The gradcheck.yaml, if any.
        fail_on: The option of that name as it was given.
    """
    if file is None:
        return asked, ()
    from gradcheck_cli.config import load_policy

    given = {"select": asked.select, "ignore": asked.ignore, "fail_on": fail_on}
    ruled = replace(asked, **load_policy(file, given))
    return ruled, () if ruled == asked else (f"the verdict follows {file}; --no-config leaves it out",)


def finish(
    asked: OutputOptions,
    name: str,
    work: Callable[[], Result],
    *,
    verdict: bool = True,
    quiet: AbstractContextManager[object] | None = None,
    stream: TextIO | None = None,
    failing: Callable[[GradcheckError], Result] | None = None,
    given: Iterable[str | None] = (),
) -> NoReturn:
    """Do a command's work, write its report and end with its exit code, whatever is raised.

    Args:
        asked: The output options.
        name: What the report is called if there is none.
        work: Makes the report, the suite, the timeline or the comparison.
        verdict: Whether the report's own exit code is the command's.
        quiet: What keeps others off stdout; left once the document is written, since their threads may live on.
        stream: Where the report goes, if not to stdout.
        failing: What to show where the work could not be done, if not a report of that.
        given: What else the command line names, over which no report is written.
    """
    style, stream = asked.style(stream), stream or own_stdout()
    outputs: tuple[Output, ...] = ()
    failed: GradcheckError | None = None
    with quiet or nullcontext():
        try:
            parse_format(asked.format)
            working_folder()
            outputs = parse_outputs(asked.outputs, given)
            result: Result = work()
        except BaseException as raised:
            failed = as_error(raised)
            tell(failed, raised if asked.debug else None, redact=asked.redact)
            from gradcheck_cli.records.report import failed_report

            result = failing(failed) if failing else failed_report(name, failed)
        if asked.redact:
            from gradcheck_cli.records.redacting import redacted

            result = redacted(result)
        unwritten, document = deliver(result, outputs, _document(asked, failed), style, redact=asked.redact)
        if document is not None:
            after_others = stream is sys.stderr and stream.isatty()  # as a progress bar that is not at its end
            emit(f"\n{document}" if after_others else document, stream)
    if failed is not None:
        raise typer.Exit(failed.exit_code)
    raise typer.Exit(
        (verdict and getattr(result, "script_exit", 0)) or unwritten or (verdict and getattr(result, "exit_code", 0))
    )


def _document(asked: OutputOptions, failed: GradcheckError | None) -> str | None:
    """The format on the stream; a failure has no table, since the person who reads it has read stderr."""
    if failed is None:
        return asked.format
    return asked.format if asked.format in FORMATS and asked.format != "table" else None
