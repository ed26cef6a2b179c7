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
    RUN,
    BaselineFile,
    Color,
    ColorChoice,
    Debug,
    DriftLimit,
    Format,
    MaxMemory,
    OutputOptions,
    Outputs,
    Quiet,
    Redact,
    Timeout,
    UpdateBaseline,
    Verbose,
    check_limits,
    colored,
    config_file,
    finish,
    size_of,
)
from gradcheck_cli.cli.suiteprogress import suite_progress
from gradcheck_cli.cli.writing import destination, write_file
from gradcheck_cli.errors import Interrupted, UsageError
from gradcheck_cli.signals import number_of

if TYPE_CHECKING:
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.suite import PlannedCheck, SuiteReport
    from gradcheck_cli.suite.journal import Journal
    from gradcheck_cli.suite.runbaselines import RunBaselines

_CHOICE = "Which checks"


def batch(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="[gradcheck.yaml]",
            help="The nearest one up to the repository's root if not given.",
            show_default=False,
        ),
    ] = None,
    keyword: Annotated[
        str | None,
        typer.Option(
            "-k", metavar="EXPR", help="Only names that fit, as 'resnet and not fp16'.", rich_help_panel=_CHOICE
        ),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Only the I-th of N parts.", rich_help_panel=_CHOICE)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Checks to run at a time; one for each core if not given.", rich_help_panel=RUN
        ),
    ] = None,
    timeout: Timeout = None,
    max_memory: MaxMemory = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first check that does not pass.", rich_help_panel=RUN)
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was ended.", rich_help_panel=RUN)
    ] = False,
    journal: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where finished checks are kept for --resume; next to the config if not given.",
            rich_help_panel=RUN,
        ),
    ] = None,
    baseline: BaselineFile = None,
    update_baseline: UpdateBaseline = False,
    drift: DriftLimit = None,
    format: Format = "table",
    output: Outputs = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    color: ColorChoice = Color.AUTO,
    redact: Redact = False,
    debug: Debug = False,
) -> None:
    """Run every check and training script of a gradcheck.yaml, each in a process of its own.

    A check that crashes, hangs or is killed is reported as failed, with its last output; the rest run.
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

    def work() -> SuiteReport:
        from gradcheck_cli.config import load_config
        from gradcheck_cli.suite.journal import Journal
        from gradcheck_cli.suite.runbaselines import load_known
        from gradcheck_cli.suite.selection import selected
        from gradcheck_cli.worker.launch import can_fork

        file = config_file(config, no_config=False)
        if file is None:
            raise UsageError("there is no gradcheck.yaml here or above", hint="`gradcheck init` writes one.")
        overrides = {"timeout": timeout, "max_memory": size_of(max_memory), "baseline": baseline, "drift": drift}
        plan = load_config(file, overrides)
        if not plan:
            raise UsageError(f"{file} holds no checks", hint="Add some under `checks:` or `run:`.")
        check_limits(plan)
        if not can_fork():
            raise UsageError("this system cannot fork processes, which `gradcheck batch` needs")
        known = load_known(plan, update=update_baseline)
        chosen = [known.held(planned) for planned in selected(plan, keyword, shard)]
        kept = Journal(_journal_path(journal, file, shard))
        started = time.perf_counter()
        done = _run(chosen, known, kept, workers, resume=resume, fail_fast=fail_fast, asked=asked)
        for path, text in known.documents(done, plan):
            write_file(Path(path), text)
        return _suite(str(file), done, known, kept, time.perf_counter() - started)

    finish(asked, config or "gradcheck.yaml", work, given=(config, journal, baseline))


def _journal_path(journal: str | None, file: Path, shard: str | None) -> Path:
    """The journal that is named, else a hidden one beside the config, for each config and shard its own."""
    if journal is None:
        part = f"-{shard.replace('/', 'of')}" if shard else ""
        return file.with_name(f".{file.stem}-journal{part}.jsonl")
    return destination(journal, f"--journal {journal}")


def _run(
    plan: Sequence[PlannedCheck],
    known: RunBaselines,
    journal: Journal,
    workers: int | None,
    *,
    resume: bool,
    fail_fast: bool,
    asked: OutputOptions,
) -> list[tuple[PlannedCheck, Report]]:
    """Every check with what it came to by itself, in the order of the plan; those after a failure may be missing."""
    from gradcheck_cli.suite.journal import journaled

    done: dict[int, Report] = {}
    color = colored(asked.color, terminal=sys.stderr.isatty())
    names = [planned.name for planned in plan]
    with suite_progress(names, quiet=asked.quiet, color=color, redact=asked.redact) as progress:
        at_once = workers or os.cpu_count() or 1
        try:
            with closing(journaled(plan, at_once, journal, resume=resume, on_start=progress.start)) as finished:
                for place, report in finished:
                    done[place] = report
                    judged = known.judged(plan[place], report)
                    progress.finish(place, judged)
                    if fail_fast and judged.exit_code:
                        break
        except KeyboardInterrupt as pressed:
            hint = "`gradcheck batch --resume` with the same options goes on with what is not finished."
            raise Interrupted("interrupted", hint=hint, number=number_of(pressed)) from pressed
    return [(plan[place], done[place]) for place in sorted(done)]


def _suite(
    name: str, done: Sequence[tuple[PlannedCheck, Report]], known: RunBaselines, journal: Journal, seconds: float
) -> SuiteReport:
    from gradcheck_cli.records.suite import SuiteReport
    from gradcheck_cli.records.verdict import suite_exit_code

    checks = tuple(known.judged(planned, report) for planned, report in done)
    fixed = [f"{planned.name}: {line}" for planned, report in done for line in known.fixed(planned, report)]
    return SuiteReport(
        name=name,
        checks=checks,
        exit_code=suite_exit_code(checks),
        seconds=seconds,
        notes=(*fixed, *([journal.fault] if journal.fault else [])),
    )
