"""`gradcheck run SCRIPT [ARGS]`."""

from __future__ import annotations

import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradcheck_cli.cli.announcing import announcing
from gradcheck_cli.cli.helping import PanelCommand
from gradcheck_cli.cli.logto import logging_to
from gradcheck_cli.cli.options import (
    OUTPUT,
    REMEDIES,
    RUN,
    VERDICT,
    Color,
    ColorChoice,
    ConfigFile,
    Debug,
    Ignore,
    LeastToFail,
    NoConfig,
    OutputOptions,
    Outputs,
    Quiet,
    Redact,
    Select,
    Trials,
    TryBudget,
    Verbose,
    by_policy,
    config_file,
    finish,
)
from gradcheck_cli.cli.writing import parse_outputs, write_file
from gradcheck_cli.errors import GradcheckError, UsageError
from gradcheck_cli.opening import Unreadable, look, working_folder
from gradcheck_cli.records.choices import FailOn
from gradcheck_cli.records.masking import masked
from gradcheck_cli.reports import FORMATS, render

if TYPE_CHECKING:
    from gradcheck_cli.records.timeline import Timeline
    from gradcheck_cli.watch.sessionreader import News

_COST = "Cost"
_COMMAND = "SCRIPT [ARGS]..."
_GIVEN = "gradcheck: as given"
_WHERE = re.compile(r"(\d{1,9}:)?0{0,9}[1-9]\d{0,17}", re.ASCII)


class OnAlarm(str, Enum):
    """What becomes of the script when an alarm is confirmed."""

    CONTINUE = "continue"
    STOP = "stop"


class RunCommand(PanelCommand):
    """A command whose first positional ends its options; it keeps what it was called with.

    Its options stand in the order in which docs/run.md tells of them.
    """

    first = ("Arguments", RUN, OUTPUT, REMEDIES, VERDICT, _COST)

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse; a `--` is gone afterwards, and means that a command follows rather than a script."""
        ctx.meta[_GIVEN] = tuple(args)
        ctx.allow_interspersed_args = False
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands in the first line of the help."""
        return ["[OPTIONS]", _COMMAND]


def run(
    context: typer.Context,
    command: Annotated[
        list[str],
        typer.Argument(
            metavar=_COMMAND, help="A script and its arguments, or any command after `--`.", show_default=False
        ),
    ],
    module: Annotated[
        bool, typer.Option("-m", help="SCRIPT is a module, as for `python -m`.", rich_help_panel=RUN)
    ] = False,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[OPT:]STEP",
            help="Diagnose this step, or this one of an optimiser; repeatable.",
            rich_help_panel=RUN,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Diagnose step N, then stop the script.", rich_help_panel=RUN),
    ] = None,
    no_first: Annotated[
        bool, typer.Option("--no-first", help="Leave step 1 undiagnosed.", rich_help_panel=RUN)
    ] = False,
    on_alarm: Annotated[
        OnAlarm,
        typer.Option(
            help="Whether a confirmed alarm stops the script. What is not finite, or a fault of the loop, stops it at "
            "its next forward pass; a jump or a climb once it had 25 to 100 updates to come back.",
            rich_help_panel=RUN,
        ),
    ] = OnAlarm.CONTINUE,
    max_diagnoses: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Diagnoses at most, but for those asked for.", rich_help_panel=_COST),
    ] = 5,
    budget: Annotated[
        float,
        typer.Option(
            metavar="PERCENT",
            help="What watching may take of a step's time, and trials of updates of the run's own passes.",
            rich_help_panel=_COST,
        ),
    ] = 5.0,
    every: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="K",
            help="Take the sampled vitals at every K-th step; the budget decides else.",
            rich_help_panel=_COST,
        ),
    ] = None,
    save_batch: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Keep the batch of every alarm: the tensors that its loss was made from, by name.",
            rich_help_panel=RUN,
        ),
    ] = None,
    snapshot: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="K",
            help="Keep the parameters and the optimiser's state of every K-th step, so that a step which goes wrong is "
            "tried from there.",
            rich_help_panel=RUN,
        ),
    ] = None,
    shadow: Annotated[
        bool,
        typer.Option(
            "--shadow",
            help="When the script has ended, train a copy on its last batches with a tenth of the learning rate.",
            rich_help_panel=REMEDIES,
        ),
    ] = False,
    trials: Trials = True,
    try_budget: TryBudget = 800,
    select: Select = None,
    ignore: Ignore = None,
    fail_on: LeastToFail = None,
    config: ConfigFile = None,
    no_config: NoConfig = False,
    format: Annotated[
        str,
        typer.Option(
            "--format", metavar="|".join(FORMATS), help="What to write to stderr at the end.", rich_help_panel=OUTPUT
        ),
    ] = "table",
    output: Outputs = None,
    log_to: Annotated[
        str | None,
        typer.Option(
            metavar="tensorboard[=DIR]",
            help="Write the curves there while the script runs; into a folder below runs/ if DIR is not given.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    color: ColorChoice = Color.AUTO,
    redact: Redact = False,
    debug: Debug = False,
) -> None:
    """Run a training script as it is, watch its gradients, and explain the step that goes wrong.

    The first positional ends our options; all after it belongs to the script, and so does stdout. After `--` any
    command can stand that starts one: torchrun, accelerate launch, bash train.sh. The exit code is the script's own
    if it is not 0.
    """
    asked = OutputOptions(
        format=format,
        outputs=tuple(output or ()),
        verbose=verbose,
        quiet=quiet,
        color=color,
        redact=redact,
        debug=debug,
    )
    told = masked(("-m", *command) if module else command)

    def work() -> Timeline:
        from gradcheck_cli.records.run import RunOptions
        from gradcheck_cli.worker.runs import run_watched

        started = startable(command, module=module, after_dashes=_after_dashes(context, command))
        options = RunOptions(
            command=told,
            at=_places(at or ()),
            budget=_percent(budget),
            every=every,
            steps=steps,
            stop_on_alarm=on_alarm is OnAlarm.STOP,
            max_diagnoses=max_diagnoses,
            first=not no_first,
            save_batch=_folder(save_batch),
            try_budget=try_budget if trials else 0,
            snapshot=snapshot,
            shadow=shadow,
            select=_rules(select, "--select"),
            ignore=_rules(ignore, "--ignore"),
            fail_on=fail_on or FailOn.WARNING,
        )
        ruled, notes = by_policy(options, config_file(config, no_config), fail_on)
        with logging_to(log_to) as log, announcing(Path(command[0]).name, quiet=quiet, redact=redact) as announce:
            timeline = run_watched(started, ruled, _each((announce, log)), _saving(asked))
        logged = (log.told,) if log else ()
        return replace(timeline, notes=(*timeline.notes, *logged, *notes))

    def failing(error: GradcheckError) -> Timeline:
        from gradcheck_cli.records.choices import Status
        from gradcheck_cli.records.timeline import Timeline

        return Timeline(command=told, status=Status.FAILED, exit_code=error.exit_code, error=error.message)

    finish(asked, " ".join(told), work, stream=sys.stderr, failing=failing, given=(config, *command))


def _each(hearing: Sequence[Callable[[News], None] | None]) -> Callable[[News], None] | None:
    """What hands the news on to each that wants them; None where none does."""
    wanted = [hear for hear in hearing if hear]

    def hear(news: News) -> None:
        for one in wanted:
            one(news)

    return hear if wanted else None


def _saving(asked: OutputOptions) -> Callable[[Timeline], None] | None:
    """What writes the JSON documents that were asked for while the script runs; None where none were."""
    files = [output for output in parse_outputs(asked.outputs) if output.format == "json"]
    files = [output for output in files if output.path.is_file() or not output.path.exists()]  # no pipe
    if not files:
        return None

    def save(timeline: Timeline) -> None:
        if asked.redact:
            from gradcheck_cli.records.redacting import redacted

            timeline = redacted(timeline)
        for each in files:
            write_file(each.path, render(timeline, "json", asked.style(sys.stderr)))

    return save


def startable(command: Sequence[str], *, module: bool, after_dashes: bool) -> list[str]:
    """What to start for a script, a module or a command with its arguments.

    Raises:
        UsageError: There is no such script or command.
    """
    first = command[0]
    if module:
        return [sys.executable, "-m", *command]
    if not after_dashes:
        if first != "-":
            _check_script(first)
        return [sys.executable, *command]
    if shutil.which(first) is None:
        raise UsageError(f"there is no command `{first}`", hint=_where_else(first))
    return list(command)


def _check_script(name: str) -> None:
    """See that a script can be started: a Python file, a zip, or a folder with a `__main__.py`.

    Raises:
        UsageError: It cannot.
    """
    try:
        look(Path(name))
    except Unreadable as error:
        if error.missing:
            raise UsageError(f"there is no file {name}", hint=_other_form(name)) from error
        if not os.path.isfile(f"{name}/__main__.py"):  # noqa: PTH113 - of a name that is too long as well
            raise UsageError(f"{name} {error}", hint=_other_form(name)) from error


def _other_form(name: str) -> str:
    if shutil.which(name):
        return f"To run the command, write -- {name}."
    return "SCRIPT is a file; write a module as -m NAME, and any other command after `--`."


def _where_else(name: str) -> str:
    if Path(name).is_file():
        return "Leave out the `--` before a script."
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    if beside:
        return f"Activate the environment that it is in, or write {beside}."
    return "Commands are looked for on PATH."


def _after_dashes(context: typer.Context, command: Sequence[str]) -> bool:
    given: tuple[str, ...] = context.meta[_GIVEN]
    return given[: -len(command)][-1:] == ("--",)


def _rules(texts: Sequence[str] | None, option: str) -> tuple[str, ...]:
    if not texts:
        return ()
    from gradcheck_cli.rules import patterns  # which loads them all: the script waits for that

    return patterns(texts, option)


def _places(texts: Sequence[str]) -> tuple[str, ...]:
    for text in texts:
        if not _WHERE.fullmatch(text):
            hint = "Write --at 120, or --at 1:120 for step 120 of the second optimiser; steps count from 1."
            raise UsageError(f"--at `{text}` is not a step", hint=hint)
    return tuple(dict.fromkeys(texts))


def _percent(budget: float) -> float:
    if not math.isfinite(budget) or not 0 <= budget <= 100:
        raise UsageError(f"--budget {budget:g} is not a share of a step's time", hint="Write a percentage: --budget 5.")
    return budget


def _folder(path: str | None) -> str | None:
    """The folder of --save-batch, wherever the script goes to."""
    if path is None:
        return None
    folder = Path(path)
    with suppress(RuntimeError):  # the home of somebody who is not known here
        folder = folder.expanduser()
    folder = working_folder() / folder
    if reason := _no_folder(folder):
        raise UsageError(f"--save-batch {path}: {reason}", hint="Name a folder; it is made if need be.")
    if not folder.parent.is_dir():
        raise UsageError(f"--save-batch {path}: there is no folder {folder.parent}", hint="Make it first.")
    return str(folder)


def _no_folder(path: Path) -> str:
    """Why a path can be no folder; "" where it is one, or nothing has its name."""
    try:
        look(path)
    except Unreadable as error:
        is_one = os.path.isdir(path)  # noqa: PTH112 - of a name that is too long as well
        return "" if error.missing or is_one else str(error)
    return "is not a folder"
