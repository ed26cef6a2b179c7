"""The way from a batch to a loss: one forward pass, by the rules of the command line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gradcheck_cli.errors import TargetError
from gradcheck_cli.records.spec import Pass
from gradcheck_cli.target.code.accepts import arrange
from gradcheck_cli.target.code.signatures import takes
from gradcheck_cli.target.code.usercode import user_code
from gradcheck_cli.target.loss.guess import described, guess_loss
from gradcheck_cli.target.loss.lossfunction import check_loss, main_tensor, own_loss, step_loss, takes_tensors_only
from gradcheck_cli.target.loss.lossscale import listening, unscaled


@dataclass(frozen=True, slots=True)
class ModelForward:
    """Call the model, then the loss on (output, target); without a loss, the model's own or a guess.

    Attributes:
        loss: The loss.
        source: Where it is from.
        passed_over: Why a loss of the user's was not taken, which a guess tells.
    """

    loss: Callable[..., Any] | None = None
    source: str = ""
    passed_over: str = ""

    def __call__(self, model: nn.Module, batch: Any) -> Pass:
        """Run one forward pass.

        Raises:
            TargetError: The batch cannot be laid out, or no loss can be guessed.
            UserCodeError: The loss raised. What the model raises passes through.
            ProbeError: No backward pass can start from the loss.
        """
        call = arrange(model, batch, hand_over=self.loss is None)
        output = model(*call.args, **call.kwargs)
        with listening() as heard:
            loss, source = self._loss(output, call.target)
        loss, scale = unscaled(loss, heard)
        return Pass(loss=check_loss(loss, source), output=output, target=call.target, loss_source=source, scale=scale)

    def _loss(self, output: Any, target: Any) -> tuple[Any, str]:
        if output is None and (self.loss is None or takes_tensors_only(self.loss)):
            raise TargetError("the model returned None", hint="Does its forward end in `return`?")
        if self.loss is None:
            return own_loss(output) or self._guessed(output, target)
        tensors_only = takes_tensors_only(self.loss)
        if tensors_only and target is None:
            raise TargetError(
                f"the loss ({self.source}) compares with a target, and the batch has none",
                hint='Return (inputs, target) from the batch, or add --target "int64[8] in 0..10".',
            )
        taken = main_tensor(output) if tensors_only else output
        with user_code(f"the loss ({self.source}) on output {described(taken)} and target {described(target)}"):
            return self.loss(taken, target), self.source

    def _guessed(self, output: Any, target: Any) -> tuple[Any, str]:
        loss, source = _guessed(output, target)
        return loss, f"{source}; {self.passed_over}" if self.passed_over else source


@dataclass(frozen=True, slots=True)
class StepForward:
    """Call a step that takes (model, batch) and returns the loss."""

    step: Callable[..., Any]
    source: str

    def __call__(self, model: nn.Module, batch: Any) -> Pass:
        """Run one forward pass.

        Raises:
            ProbeError: No backward pass can start from the loss. What the step raises passes through.
        """
        with listening() as heard:
            returned = self.step(model, batch)
        loss, scale = unscaled(step_loss(returned), heard)
        return Pass(loss=check_loss(loss, self.source), loss_source=self.source, scale=scale)


def training_step(model: nn.Module, batch: Any) -> Any:
    """Call a Lightning module's training_step without a trainer."""
    step: Callable[..., Any] = model.training_step  # type: ignore[assignment]
    with warnings.catch_warnings():
        # self.log says on every call that no trainer is attached.
        warnings.filterwarnings("ignore", message=r".*self\.log.*")
        return step(batch, 0) if takes(step, batch, 0) else step(batch)


def has_training_step(model: nn.Module) -> bool:
    """Whether the model computes its own loss as a Lightning module does."""
    step = getattr(model, "training_step", None)
    return step is not None and not _is_lightnings(step) and (takes(step, None, 0) or takes(step, None))


def uses(model: nn.Module, name: str) -> bool:
    """Whether the model's training step names `name` itself, or a method of the model's that it names does."""
    code = getattr(getattr(model, "training_step", None), "__code__", None)
    if code is None:
        return True  # it cannot be read
    methods = (getattr(getattr(type(model), other, None), "__code__", None) for other in code.co_names)
    return any(name in each.co_names for each in (code, *methods) if each is not None)


def _is_lightnings(method: Any) -> bool:
    """Whether a hook is the base class's own, which does nothing."""
    return str(getattr(method, "__module__", "")).split(".")[0] in ("lightning", "pytorch_lightning")


def overrides(model: nn.Module, hook: str) -> bool:
    """Whether the model defines a Lightning hook of its own."""
    method = getattr(model, hook, None)
    return callable(method) and not _is_lightnings(method)


def _guessed(output: Any, target: Any) -> tuple[torch.Tensor, str]:
    with user_code(f"the guessed loss on output {described(main_tensor(output))} and target {described(target)}"):
        loss, name = guess_loss(output, target)
    return loss, f"guessed: {name}"
