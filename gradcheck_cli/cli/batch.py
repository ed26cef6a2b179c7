"""`gradcheck batch [gradcheck.yaml]`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    colored,
    finish,
)
from gradcheck_cli.cli.progress import stages
from gradcheck_cli.errors import UsageError
from gradcheck_cli.names import listing

if TYPE_CHECKING:
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.suite import PlannedCheck, SuiteReport

_RUN = "Run"


def batch(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="[gradcheck.yaml]",
            help="The nearest one up to the repository's root if not given.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Checks to run at a time; one for each core if not given.", rich_help_panel=_RUN
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="SECONDS", help="End a check after this long.", rich_help_panel=_RUN),
    ] = None,
    keyword: Annotated[
        str | None, typer.Option("-k", metavar="TEXT", help="Only checks whose name holds TEXT.", rich_help_panel=_RUN)
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first check that does not pass.", rich_help_panel=_RUN)
    ] = False,
    format: Format = "table",
    output: Outputs = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    color: ColorChoice = Color.AUTO,
    debug: Debug = False,
) -> None:
    """Run every check of a gradcheck.yaml, each in a process of its own.

    A check that crashes, hangs or is killed is reported as failed, with its last output; the rest run.
    """
    asked = Asked(format=format, outputs=tuple(output or ()), verbose=verbose, quiet=quiet, color=color, debug=debug)

    def work() -> SuiteReport:
        from gradcheck_cli.config import load_config

        file = _file(config)
        plan = _chosen(load_config(file, {"timeout": timeout}), keyword, file)
        return _run(str(file), plan, min(workers or os.cpu_count() or 1, len(plan)), fail_fast, asked)

    finish(asked, config or "gradcheck.yaml", work)


def _file(config: str | None) -> Path:
    from gradcheck_cli.config import find_config

    found = Path(config) if config is not None else find_config(Path.cwd())
    if found is None:
        raise UsageError("there is no gradcheck.yaml here or above", hint="`gradcheck init` writes one.")
    return found if config is not None else Path(os.path.relpath(found))


def _chosen(plan: Sequence[PlannedCheck], keyword: str | None, file: Path) -> Sequence[PlannedCheck]:
    chosen = [planned for planned in plan if keyword is None or keyword in planned.name]
    if not plan:
        raise UsageError(f"{file} holds no checks", hint="Add some under `checks:`.")
    if not chosen:
        raise UsageError(f"-k `{keyword}` fits no check", hint=f"There are {listing([p.name for p in plan])}.")
    return chosen


def _run(name: str, plan: Sequence[PlannedCheck], workers: int, fail_fast: bool, asked: Asked) -> SuiteReport:
    from gradcheck_cli.records.suite import SuiteReport
    from gradcheck_cli.suite import run_plan, suite_exit_code

    started, done = time.perf_counter(), dict[int, "Report"]()
    terminal = sys.stderr.isatty()
    with (
        stages(quiet=asked.quiet, color=colored(asked.color, terminal=terminal)) as on_stage,
        closing(run_plan(plan, workers)) as finished,
    ):
        on_stage(f"0 of {len(plan)} done")
        for place, report in finished:
            done[place] = report
            bad = sum(r.exit_code != 0 for r in done.values())
            on_stage(f"{len(done)} of {len(plan)} done" + (f", {bad} not passed" if bad else ""))
            if fail_fast and report.exit_code:
                break
    checks = tuple(done[place] for place in sorted(done))
    return SuiteReport(
        name=name, checks=checks, exit_code=suite_exit_code(checks), seconds=time.perf_counter() - started
    )
