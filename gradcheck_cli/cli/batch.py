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
    BaselineFile,
    Color,
    ColorChoice,
    Debug,
    DriftLimit,
    Format,
    Outputs,
    Quiet,
    UpdateBaseline,
    Verbose,
    colored,
    config_file,
    finish,
)
from gradcheck_cli.cli.progress import stages
from gradcheck_cli.cli.writing import write_file
from gradcheck_cli.errors import UsageError
from gradcheck_cli.names import listing

if TYPE_CHECKING:
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.suite import PlannedCheck, SuiteReport
    from gradcheck_cli.suite.known import Known

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
    baseline: BaselineFile = None,
    update_baseline: UpdateBaseline = False,
    drift: DriftLimit = None,
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
        from gradcheck_cli.suite.known import load_known

        file = config_file(config, no_config=False)
        if file is None:
            raise UsageError("there is no gradcheck.yaml here or above", hint="`gradcheck init` writes one.")
        plan = load_config(file, {"timeout": timeout, "baseline": baseline, "drift": drift})
        known = load_known(plan, update=update_baseline)
        chosen = _chosen(plan, keyword, file)
        started = time.perf_counter()
        done = _run(chosen, known, min(workers or os.cpu_count() or 1, len(chosen)), fail_fast, asked)
        for path, text in known.documents(done, plan):
            write_file(Path(path), text)
        return _suite(str(file), done, known, time.perf_counter() - started)

    finish(asked, config or "gradcheck.yaml", work)


def _chosen(plan: Sequence[PlannedCheck], keyword: str | None, file: Path) -> Sequence[PlannedCheck]:
    if not plan:
        raise UsageError(f"{file} holds no checks", hint="Add some under `checks:`.")
    chosen = [planned for planned in plan if keyword is None or keyword in planned.name]
    if not chosen:
        raise UsageError(f"-k `{keyword}` fits no check", hint=f"There are {listing([p.name for p in plan])}.")
    return chosen


def _run(
    plan: Sequence[PlannedCheck], known: Known, workers: int, fail_fast: bool, asked: Asked
) -> list[tuple[PlannedCheck, Report]]:
    """Every check with what it came to by itself, in the order of the plan; those after a failure may be missing."""
    from gradcheck_cli.suite import run_plan

    done: dict[int, Report] = {}
    bad = 0
    terminal = sys.stderr.isatty()
    with (
        stages(quiet=asked.quiet, color=colored(asked.color, terminal=terminal)) as on_stage,
        closing(run_plan([known.held(planned) for planned in plan], workers)) as finished,
    ):
        on_stage(f"0 of {len(plan)} done")
        for place, report in finished:
            done[place] = report
            failing = known.judged(plan[place], report).exit_code != 0
            bad += failing
            on_stage(f"{len(done)} of {len(plan)} done" + (f", {bad} not passed" if bad else ""))
            if fail_fast and failing:
                break
    return [(plan[place], done[place]) for place in sorted(done)]


def _suite(name: str, done: Sequence[tuple[PlannedCheck, Report]], known: Known, seconds: float) -> SuiteReport:
    from gradcheck_cli.records.suite import SuiteReport
    from gradcheck_cli.suite import suite_exit_code

    checks = tuple(known.judged(planned, report) for planned, report in done)
    notes = tuple(f"{planned.name}: {line}" for planned, report in done for line in known.fixed(planned, report))
    return SuiteReport(name=name, checks=checks, exit_code=suite_exit_code(checks), seconds=seconds, notes=notes)
