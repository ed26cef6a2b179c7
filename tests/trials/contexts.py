"""Real measurements of small models, and findings to plan remedies for."""

from __future__ import annotations

from typing import Any

from torch import nn

from gradcheck_cli.pipeline import diagnose
from gradcheck_cli.probe import chance
from gradcheck_cli.records.choices import Family, Optimizer, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.spec import Step
from gradcheck_cli.target import wrap_target
from gradcheck_cli.trials.bench import Bench
from gradcheck_cli.trials.budget import Budget
from gradcheck_cli.trials.planning import PlanningContext
from gradcheck_cli.trials.torchcalls import recorded_calls

PLAIN: dict[str, Any] = {
    "code": "GC201",
    "rule": "vanishing-depth",
    "family": Family.VANISHING,
    "severity": Severity.ERROR,
    "layers": (),
    "cause": "depth",
    "message": "",
    "evidence": {},
}


def finding(**fields: Any) -> Finding:
    """A vanishing gradient, but for what is given."""
    return Finding(**(PLAIN | fields))


def step_of(model: nn.Module, batch: Any, loss: Any = "mse_loss", **step: Any) -> Step:
    """The step of a model in memory; a `loss` that takes the model is a step function."""
    given = {"loss": loss} if isinstance(loss, str) or not hasattr(loss, "__code__") else {"step": loss}
    target = wrap_target(model, batch, **given)
    return Step(target=target, batch=target.batches[0], **step)


def bench_of(
    step: Step,
    *,
    lr: float | None = None,
    optimizer: Optimizer = Optimizer.SGD,
    passes: int = 1000,
    keeps: bool = False,
) -> Bench:
    """A bench on which trials of a step can be made."""
    diagnosed = diagnose(step)
    return Bench(
        step=step,
        diagnosed=diagnosed,
        diagnose=diagnose,
        chance=chance,
        calls=recorded_calls(step, diagnosed.evidence.measurement),
        optimizer=optimizer,
        lr=lr,
        budget=Budget(passes),
        keeps=keeps,
    )


def context(model: nn.Module, batch: Any, loss: Any = "mse_loss", **fields: Any) -> PlanningContext:
    """What is known of a model when remedies for such a finding are planned."""
    return bench_of(step_of(model, batch, loss)).context(finding(**fields))
