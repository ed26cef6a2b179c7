"""The passes that trying an update takes: what batches cost with other parameters, and their gradients there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gradcheck_cli.records.retrying import UpdateChange, UpdateVariant
from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.passes import forward_pass, scaled
from gradcheck_cli.runtime.state import preserved
from gradcheck_cli.watch.attempts import Attempt
from gradcheck_cli.watch.copyupdate import UpdateStart, holding, made
from gradcheck_cli.watch.samples import rows_in, without
from gradcheck_cli.watch.sampling import loss_of


class UpdateTrial:
    """An update that is made again.

    Args:
        attempt: The run's own.
        steps: The backward passes that it is made of.
        rows: Those of the batch that are at fault.
        averaged: Whether its gradients are an average over processes: then they cannot be had of another batch.

    Attributes:
        rows: Those that are left out of what it is judged by: none where that cannot be done.
        witness: What it is judged by: the steps, or the one step with its other rows.
        passes: Forward and backward passes so far.
    """

    def __init__(
        self, attempt: Attempt, steps: Sequence[Step], rows: tuple[int, ...], *, averaged: bool = False
    ) -> None:
        self.attempt, self.steps, self.averaged = attempt, steps, averaged
        self._held = list(attempt.parameters())
        others = _without(steps[0], rows) if rows and len(steps) == 1 else None
        self.rows = rows if others is not None else ()
        self.witness = [others] if others is not None else steps
        self.passes = 0

    def make(self, start: UpdateStart, tried: UpdateVariant) -> UpdateVariant:
        """One way to make the update, with what it comes to."""
        if tried.change is UpdateChange.WITHOUT_ROWS:
            start = replace(start, gradients=self.gradients(start.values, self.witness))
        update = made(self.attempt, start, tried)
        return replace(tried, loss=self.loss(update.values, self.witness), size=update.size)

    def loss(self, values: Mapping[int, Tensor] | None, steps: Sequence[Step]) -> float | None:
        """What steps cost on average with these parameters; None where they cannot be taken."""
        self.passes += len(steps)
        with holding(self._held, values or {}):
            losses = [loss_of(step) for step in steps]
        found = [loss for loss in losses if loss is not None]
        return sum(found) / len(found) if len(found) == len(losses) else None

    def gradients(self, values: Mapping[int, Tensor], steps: Sequence[Step]) -> Mapping[int, Tensor]:
        """The gradients of steps with these parameters, by the parameters' ids."""
        self.passes += 2 * len(steps)
        return taken(self._held, values, steps)[1]


def taken(
    held: Sequence[Tensor], values: Mapping[int, Tensor], steps: Sequence[Step]
) -> tuple[float, Mapping[int, Tensor]]:
    """What steps cost on average with these values of the parameters, and the gradients there, by the parameters' ids.

    Raises:
        Exception: What the user's code raises.
    """
    learn = [p for p in held if p.requires_grad]
    losses: list[float] = []
    total: dict[int, Tensor] = {}
    with holding(held, values):
        for step in steps:
            loss, gradients = _taken(step, learn)
            losses.append(loss)
            for parameter, found in zip(learn, gradients, strict=True):
                if found is not None:
                    key = id(parameter)
                    total[key] = total[key] + found if key in total else found
    return sum(losses) / len(losses), total


def _taken(step: Step, learn: Sequence[Tensor]) -> tuple[float, Sequence[Tensor | None]]:
    """Half precision holds gradients only as the run has them, with its loss scale."""
    with preserved(step.target.model, step.batch, getattr(step.target.forward, "loss", None)):
        made = forward_pass(step)
        factor = made.scale.factor if made.scale is not None else 1.0
        gradients = torch.autograd.grad(scaled(made.loss, factor), learn, allow_unused=True)
        return float(made.loss.detach()), [None if g is None else g / factor for g in gradients]


def _without(step: Step, rows: Sequence[int]) -> Step | None:
    count = rows_in(tuple(step.batch.values()))
    if count is None:
        return None
    kept = [row for row in range(count) if row not in rows]
    parts = without(tuple(step.batch.values()), count, kept)
    return replace(step, batch=dict(zip(step.batch, parts, strict=True)))
