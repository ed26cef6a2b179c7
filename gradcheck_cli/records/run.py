"""What `gradcheck run` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck_cli.records.choices import FailOn
from gradcheck_cli.records.spec import RuleWaiver
from gradcheck_cli.records.thresholds import Thresholds


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """Everything that one run was asked to do; the command line's options by the same names.

    Attributes:
        command: What follows our options.
        at: Steps to diagnose, as "12" or "OPTIMIZER:STEP".
        budget: Percent of a step's time that watching may cost.
        every: The sampled vitals are taken at every so many steps; None lets the budget decide.
        steps: The step that is diagnosed, and after which the script is stopped; None to let it run.
        stop_on_alarm: Whether a confirmed alarm stops the script.
        max_diagnoses: Diagnoses at most, those that were asked for not counted.
        first: Whether step 1 is diagnosed.
        save_batch: The folder where the batch of every alarm goes.
        try_budget: Passes for the trials of a step that was asked for; 0 tries nothing, nor any update again.
        snapshot: Parameters and optimiser state are kept every so many steps; None keeps none.
        shadow: Whether a copy is trained on the last batches when the script has ended.
    """

    command: tuple[str, ...]
    at: tuple[str, ...] = ()
    budget: float = 5.0
    every: int | None = None
    steps: int | None = None
    stop_on_alarm: bool = False
    max_diagnoses: int = 5
    first: bool = True
    save_batch: str | None = None
    try_budget: int = 0
    snapshot: int | None = None
    shadow: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: FailOn = FailOn.WARNING
    waivers: tuple[RuleWaiver, ...] = ()
    thresholds: Thresholds = Thresholds()  # noqa: RUF009 - frozen
