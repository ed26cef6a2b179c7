"""The Typer application, and the only place where an exception becomes an exit code unseen by a command."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from itertools import pairwise
from typing import Annotated, Any

import typer

from gradcheck_cli import __version__
from gradcheck_cli.cli.batch import batch
from gradcheck_cli.cli.check import check
from gradcheck_cli.cli.failing import as_error, tell
from gradcheck_cli.cli.helping import PanelCommand, examples
from gradcheck_cli.cli.init import init
from gradcheck_cli.cli.lazyparsing import LazyGroup
from gradcheck_cli.cli.rule import rule
from gradcheck_cli.cli.run import RunCommand
from gradcheck_cli.cli.run import run as watch
from gradcheck_cli.cli.schema import schema
from gradcheck_cli.cli.show import show
from gradcheck_cli.cli.writing import emit
from gradcheck_cli.errors import GradcheckError, ReportError, UsageError

CHECK_EXAMPLES = examples(
    "gradcheck check model.py",
    'gradcheck check model.py:build --set depth=8 --input "float32[8,3,32,32]" --target "int64[8] in 0..10"',
    "gradcheck check model.py --format json --output table=report.txt > report.json",
)
RUN_EXAMPLES = examples(
    "gradcheck run train.py --epochs 3",
    "gradcheck run --output html=run.html --output json=run.json -m pkg.train",
    "gradcheck run --steps 1 train.py",
    "gradcheck run -- torchrun --nproc-per-node 2 train.py",
)
EXAMPLES = examples(
    "gradcheck check model.py",
    "gradcheck run train.py --epochs 3",
    "gradcheck show report.json --verbose",
    "gradcheck show main.json branch.json --format markdown",
    "gradcheck rule GC201",
)

# Without rich's markup the help costs a third of the time, and no name from outside is ever read as markup.
app = typer.Typer(
    name="gradcheck",
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=PanelCommand, epilog=CHECK_EXAMPLES, short_help="Check the gradients of one model.")(check)
app.command(cls=RunCommand, epilog=RUN_EXAMPLES, short_help="Run a training script, and explain what goes wrong.")(
    watch
)
app.command(cls=PanelCommand, short_help="Run every check of a gradcheck.yaml.")(batch)
app.command(cls=PanelCommand, short_help="Show a saved report again, in any format.")(show)
app.command(cls=PanelCommand, short_help="List the rules, or explain one.")(rule)
app.command(cls=PanelCommand, short_help="Write a gradcheck.yaml for the models found here.")(init)
app.command(cls=PanelCommand, short_help="Print the JSON schema of gradcheck.yaml, or of a report.")(schema)


def _version(wanted: bool) -> None:
    if wanted:
        emit(f"gradcheck {__version__}\n")
        raise typer.Exit(0)


@app.callback(invoke_without_command=True)
def gradcheck(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Tell which layers of a PyTorch model get no usable gradient, why, and what fixes it.

    Exit codes: 0 clean, 1 findings at or above --fail-on, 2 could not check, 129, 130, 143 ended by a signal.
    """
    if context.invoked_subcommand is None:
        emit(context.get_help() + "\n")
        raise typer.Exit(2)


def run(arguments: Sequence[str]) -> int:
    """Run the command line with `arguments` and return its exit code; only findings give 1."""
    try:
        return _code(_sparing(arguments)(list(arguments), prog_name="gradcheck", standalone_mode=False))
    except SystemExit as end:
        # Typer's own way out, such as a closed pipe while it prints help.
        return 0 if not end.code else 2
    except (KeyboardInterrupt, Exception) as raised:
        error = _told_by_the_parser(raised) or as_error(raised)
        redact = "--redact" in arguments
        tell(error, raised if "--debug" in arguments else None, redact=redact)
        if redact:
            from gradcheck_cli.records.redacting import redacted_error

            error = redacted_error(error)
        if _wants_json(arguments):
            from gradcheck_cli.records.report import failed_report
            from gradcheck_cli.reports import render

            with suppress(ReportError):  # which was told already, if it was stdout that could not be written
                emit(render(failed_report("", error), "json"))
        return error.exit_code


def _sparing(arguments: Sequence[str]) -> typer.Typer:
    """The application with the one command that is called: building all takes half as long as `show` itself."""
    called = [c for c in app.registered_commands if c.callback and [c.callback.__name__] == list(arguments[:1])]
    slim = copy(app)
    slim.registered_commands = called or app.registered_commands
    return slim


def _code(result: Any) -> int:
    return result if isinstance(result, int) else 0


def _told_by_the_parser(raised: Any) -> GradcheckError | None:
    """What the parser said, or why it could not print its help; None if it was not the parser."""
    if isinstance(raised, OSError) and raised.errno == errno.ENOSPC and raised.filename is None:
        return ReportError(f"stdout cannot be written: {raised.strerror}")
    return _usage_error(raised) if hasattr(raised, "format_message") else None


def _usage_error(raised: Any) -> UsageError:
    """A slip on the command line. Its class has moved between releases of Typer, its interface has not."""
    context = getattr(raised, "ctx", None)
    command = context.command_path if context else "gradcheck"
    # Pydantic, which newer releases convert with, puts its own name for an error before Typer's words.
    told = raised.format_message().replace("Value error, ", "").rstrip(".")
    return UsageError(told, hint=f"`{command} --help` lists what there is.")


def _wants_json(arguments: Sequence[str]) -> bool:
    if list(arguments[:1]) == ["run"]:  # stdout is the script's, and so may these options be
        return False
    return "--format=json" in arguments or ("--format", "json") in pairwise(arguments)
