"""`gradcheck check MODEL`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gradcheck_cli.cli.options import (
    REMEDIES,
    RUN,
    BaselineFile,
    Color,
    ColorChoice,
    ConfigFile,
    Debug,
    DriftLimit,
    Format,
    Ignore,
    LeastToFail,
    MaxMemory,
    NoConfig,
    OutputOptions,
    Outputs,
    Quiet,
    Redact,
    Select,
    Timeout,
    Trials,
    TryBudget,
    UpdateBaseline,
    Verbose,
    by_policy,
    check_limits,
    colored,
    config_file,
    finish,
    size_of,
)
from gradcheck_cli.cli.progress import stages
from gradcheck_cli.cli.writing import destination, write_file
from gradcheck_cli.errors import UsageError
from gradcheck_cli.records.choices import FailOn, Mode, Optimizer, Severity

if TYPE_CHECKING:
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.spec import CheckSpec
    from gradcheck_cli.records.suite import PlannedCheck

_DATA, _MODEL = "Data and loss", "Model"


class Autocast(str, Enum):
    """The dtypes that `torch.autocast` takes."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


def check(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="file.py[:NAME] or package.module[:NAME]", show_default=False),
    ],
    batch: Annotated[
        str | None,
        typer.Option(metavar="REF", help="file.py:NAME or a data file.", rich_help_panel=_DATA),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="SPEC",
            help='Made-up input, as "float32[8,3,32,32]" or "ids=int64[4,128] in 0..50257"; repeatable.',
            rich_help_panel=_DATA,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help='Made-up target, as "int64[8] in 0..10".', rich_help_panel=_DATA),
    ] = None,
    target_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of a .csv batch to predict.", rich_help_panel=_DATA),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="file.py:NAME or a function of torch.nn.functional.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    step: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="file.py:NAME of a function (model, batch) -> loss.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A .pt or .safetensors state dict.", rich_help_panel=_MODEL),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="An argument for the model's class or function; repeatable.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    training: Annotated[
        bool | None,
        typer.Option("--train/--eval", help="Mode; as the code left it if neither.", rich_help_panel=_MODEL),
    ] = None,
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Unpickle data and weights, which runs any code that they hold.",
            rich_help_panel=_MODEL,
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, ...", rich_help_panel=RUN)] = "cpu",
    dtype: Annotated[
        str | None,
        typer.Option(metavar="DTYPE", help="Cast model and batch, as to bfloat16.", rich_help_panel=RUN),
    ] = None,
    autocast: Annotated[
        Autocast | None, typer.Option(help="Run the forward pass in mixed precision.", rich_help_panel=RUN)
    ] = None,
    batches: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Batches to judge; 4 or more give a clipping threshold.", rich_help_panel=RUN
        ),
    ] = 1,
    lr: Annotated[
        float | None,
        typer.Option("--lr", metavar="RATE", help="Learning rate, to judge the first update.", rich_help_panel=RUN),
    ] = None,
    optimizer: Annotated[Optimizer, typer.Option(help="Whose step --lr means.", rich_help_panel=RUN)] = Optimizer.SGD,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, metavar="INT", help="Random seed.", rich_help_panel=RUN)
    ] = 0,
    timeout: Timeout = None,
    max_memory: MaxMemory = None,
    in_process: Annotated[
        bool,
        typer.Option(
            "--in-process", help="Run the model in this process, for breakpoint(); unprotected.", rich_help_panel=RUN
        ),
    ] = False,
    trials: Trials = True,
    try_budget: TryBudget = 800,
    write_patch: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the best remedy as Python to run.", rich_help_panel=REMEDIES),
    ] = None,
    select: Select = None,
    ignore: Ignore = None,
    fail_on: LeastToFail = None,
    config: ConfigFile = None,
    no_config: NoConfig = False,
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
    """Run one batch forward and backward through MODEL and judge the gradient of every layer.

    Without options the batch and the loss are looked for in MODEL's file, and what was picked is printed.
    """
    from gradcheck_cli.worker.launch import beginning

    asked = OutputOptions(
        format=format,
        outputs=tuple(output or ()),
        verbose=verbose,
        quiet=quiet,
        color=color,
        redact=redact,
        debug=debug,
    )

    def work() -> Report:
        from gradcheck_cli.records.spec import CheckSpec
        from gradcheck_cli.records.suite import PlannedCheck
        from gradcheck_cli.rules import patterns

        spec = CheckSpec(
            model=model,
            batch=batch,
            inputs=tuple(inputs or ()),
            target=target,
            target_column=target_column,
            loss=loss,
            step=step,
            weights=weights,
            settings=parse_pairs(settings or ()),
            device=device,
            dtype=dtype,
            autocast=autocast and autocast.value,
            batches=batches,
            lr=lr,
            optimizer=optimizer,
            seed=seed,
            mode=mode_of(training),
            select=patterns(select or (), "--select"),
            ignore=patterns(ignore or (), "--ignore"),
            fail_on=fail_on or FailOn.WARNING,
            trust_pickle=trust_pickle,
            try_budget=try_budget if trials else 0,
        )
        if write_patch and not trials:
            raise UsageError("--write-patch needs the trials that --no-try leaves out", hint="Leave out --no-try.")
        patch_file = destination(write_patch, f"--write-patch {write_patch}", given) if write_patch else None
        ruled, notes = by_policy(spec, config_file(config, no_config), fail_on)
        planned = PlannedCheck(
            name=model,
            spec=ruled,
            timeout=timeout,
            max_memory=size_of(max_memory),
            baseline=baseline,
            drift=drift,
        )
        report = _against_baseline(planned, update_baseline, lambda held: _run(held, in_process, asked, silence))
        report = replace(report, notes=(*report.notes, *notes))
        return _with_patch(report, write_patch, patch_file) if write_patch and patch_file else report

    silence = ExitStack()
    given = (model, batch, *(inputs or ()), target, loss, step, weights, config, baseline)
    with beginning(wanted=not in_process):  # torch is imported while we read what is asked
        finish(asked, model, work, quiet=silence, given=given)


def _run(planned: PlannedCheck, in_process: bool, asked: OutputOptions, silence: ExitStack) -> Report:
    """Make the check in a process of its own, or in this one where that is wanted or all that the system can do."""
    from gradcheck_cli import suite
    from gradcheck_cli.reports import load
    from gradcheck_cli.worker.launch import can_fork

    check_limits([planned])
    in_process = in_process or not can_fork()
    if in_process and (planned.timeout or planned.max_memory):
        raise UsageError("--timeout and --max-memory need a process for the check", hint="Leave out --in-process.")
    with stages(quiet=asked.quiet, color=colored(asked.color, terminal=sys.stderr.isatty())) as shown:
        if in_process:
            return _run_here(cast("CheckSpec", planned.spec), silence, shown)  # which is all that this command plans
        load(asked.format)
        return suite.run_one(planned, shown, shown.echo)


def _run_here(spec: CheckSpec, silence: ExitStack, on_stage: Callable[..., None]) -> Report:
    from gradcheck_cli import pipeline
    from gradcheck_cli.target import no_hard_exit, quiet_stdout

    silence.enter_context(quiet_stdout())
    silence.enter_context(no_hard_exit())
    return pipeline.run_check(spec, on_stage)


def _with_patch(report: Report, path: str, file: Path) -> Report:
    """Write the best remedy of the first finding that has one, and note where it is, or that there is none.

    Raises:
        ReportError: The file cannot be written.
    """
    ill = (finding for finding in report.findings if finding.severity is not Severity.NOTE)
    remedies = (remedy for finding in ill for remedy in finding.remedies[:1])
    best = next((remedy for remedy in remedies if remedy.trial.patch), None)
    if best is None:
        return replace(
            report, notes=(*report.notes, f"{path} was not written: no remedy that edits the model came first")
        )
    write_file(file, best.trial.patch)
    return replace(report, notes=(*report.notes, f"{path} holds `apply(model)`: {best.title}"))


def _against_baseline(planned: PlannedCheck, update: bool, run: Callable[[PlannedCheck], Report]) -> Report:
    """Run a check and tell what is new, known and fixed; its name in the baseline is MODEL as it was given."""
    if not (planned.baseline or planned.drift or update):
        return run(planned)
    from gradcheck_cli.suite.runbaselines import load_known

    known = load_known([planned], update=update)
    report = run(known.held(planned))
    for path, text in known.documents([(planned, report)]):
        write_file(Path(path), text)
    judged = known.judged(planned, report)
    return replace(judged, notes=(*judged.notes, *known.fixed(planned, report)))


def mode_of(training: bool | None) -> Mode:
    """The mode that --train, --eval or neither asks for."""
    if training is None:
        return Mode.KEEP
    return Mode.TRAIN if training else Mode.EVAL


def parse_pairs(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Split every `--set KEY=VALUE` at its first `=`; the value stays text.

    Raises:
        UsageError: There is no `=`, or nothing before it.
    """
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise UsageError(f"--set `{text}` is not KEY=VALUE", hint="Write --set depth=12.")
    return tuple((key.strip(), value) for key, _, value in (text.partition("=") for text in texts))
