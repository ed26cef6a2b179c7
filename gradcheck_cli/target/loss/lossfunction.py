"""Where the loss comes from: named, found in the user's file, or computed by the model itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.loss import _Loss

from gradcheck_cli.errors import ProbeError, UsageError
from gradcheck_cli.target.code.importing import UserModule
from gradcheck_cli.target.code.signatures import takes
from gradcheck_cli.words import did_you_mean, listing

LOSS_NAMES = ("loss", "loss_fn", "criterion")
STEP_NAMES = ("compute_loss", "training_step", "step")
_OUTPUT_FIELDS = ("logits", "prediction", "predictions", "sample", "last_hidden_state")

KNOWN_LOSSES = (
    *sorted(name for name in vars(functional) if name.endswith("_loss") and not name.startswith("_")),
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "kl_div",
)


def named_loss(name: str) -> Callable[..., Any]:
    """Return a loss of torch.nn.functional.

    Raises:
        UsageError: There is none of that name; the message suggests a close one.
    """
    if name not in KNOWN_LOSSES:
        raise UsageError(
            f"`{name}` is not a loss in torch.nn.functional{did_you_mean(name, KNOWN_LOSSES)}",
            hint=f"Known: {listing(KNOWN_LOSSES, len(KNOWN_LOSSES))}; or name your own: --loss file.py:NAME.",
        )
    return getattr(functional, name)  # type: ignore[no-any-return]


def found_loss(source: UserModule) -> tuple[str, Callable[..., Any]] | None:
    """Return the name and function of the loss in a file, by its usual names."""
    for name in LOSS_NAMES:
        value = source.find(name)
        if takes(_made(value), None, None):
            return name, _made(value)
    return None


def found_step(source: UserModule) -> tuple[str, Callable[..., Any]] | None:
    """Return the name and function in a file that computes the loss from (model, batch)."""
    for name in STEP_NAMES:
        value = source.find(name)
        if value is not None and takes(value, None, None):
            return name, value
    return None


def passed_over(source: UserModule) -> str:
    """Why a function of the file that has the usual name of a loss is not called; empty where there is none."""
    own = source.own_names()
    for names, arguments in ((STEP_NAMES, "(model, batch)"), (LOSS_NAMES, "(output, target)")):
        for name in names:
            value = source.find(name)
            if name in own and inspect.isfunction(value) and not takes(value, None, None):
                return f"{name} of {source.label} does not take {arguments}"
    return ""


def as_loss(value: Any, label: str) -> Callable[..., Any]:
    """Return `value` as a function of (output, target); a loss class is instantiated.

    Raises:
        UsageError: It cannot be called with two arguments.
    """
    made = _made(value)
    if not takes(made, None, None):
        raise UsageError(
            f"--loss: {label} cannot be called with (output, target)", hint="Write def loss(output, target)."
        )
    return made  # type: ignore[no-any-return]


def as_step(value: Any, label: str) -> Callable[..., Any]:
    """Return `value` as a function of (model, batch).

    Raises:
        UsageError: It cannot be called with two arguments.
    """
    if not takes(value, None, None):
        raise UsageError(f"--step: {label} cannot be called with (model, batch)", hint="Write def step(model, batch).")
    return value  # type: ignore[no-any-return]


def _made(value: Any) -> Any:
    """An instance of a loss class that needs no arguments; else the value."""
    return value() if inspect.isclass(value) and issubclass(value, nn.Module) and takes(value) else value


def takes_tensors_only(loss: Callable[..., Any]) -> bool:
    """Whether `loss` is torch's own, which needs the tensor out of a structured output."""
    return isinstance(loss, _Loss) or getattr(loss, "__module__", "") == functional.__name__


def own_loss(output: Any) -> tuple[torch.Tensor, str] | None:
    """Return the loss that a model put into its own output, and where it stood, or None."""
    if isinstance(output, Mapping) and isinstance(output.get("loss"), torch.Tensor):
        return output["loss"], "the output's .loss" if hasattr(output, "loss") else "the output's ['loss']"
    if isinstance(getattr(output, "loss", None), torch.Tensor):
        return output.loss, "the output's .loss"
    if _is_loss(output):
        return output, "the output itself, a scalar"
    if isinstance(output, (tuple, list)):
        scalars = [index for index, item in enumerate(output) if _is_loss(item)]
        if len(scalars) == 1:
            return output[scalars[0]], f"the output's element {scalars[0]}, a scalar"
    return None


def step_loss(returned: Any) -> Any:
    """Return the loss in what a step returned: a scalar, {"loss": ...}, (loss, ...) or an object's .loss."""
    if isinstance(returned, Mapping):
        return returned.get("loss", returned)
    if isinstance(returned, (tuple, list)) and returned:
        return returned[0]
    return returned if isinstance(returned, torch.Tensor) else getattr(returned, "loss", returned)


def main_tensor(output: Any) -> Any:
    """Return the tensor of a structured output that a loss would take; the output where there is none."""
    if isinstance(output, torch.Tensor):
        return output
    for name in _OUTPUT_FIELDS:
        value = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        if isinstance(value, torch.Tensor):
            return value
    if isinstance(output, torch.nn.utils.rnn.PackedSequence):
        return output.data
    items = output.values() if isinstance(output, Mapping) else output if isinstance(output, (tuple, list)) else ()
    return next((found for item in items if isinstance(found := main_tensor(item), torch.Tensor)), output)


def check_loss(loss: Any, source: str) -> torch.Tensor:
    """Return `loss` if it is a scalar that could be minimised; a rule tells of one that no way leads back from.

    Raises:
        ProbeError: It is not a tensor, not a scalar, or not floating point.
    """
    if not isinstance(loss, torch.Tensor):
        raise ProbeError(
            f"the loss ({source}) is a {type(loss).__name__}, not a tensor",
            hint=_instead(loss),
        )
    if loss.numel() != 1:
        raise ProbeError(
            f"the loss ({source}) has shape {list(loss.shape)}, not one number",
            hint="Reduce it with .mean() or .sum(), or drop reduction='none'.",
        )
    if not loss.is_floating_point():
        raise ProbeError(
            f"the loss ({source}) is {_dtype(loss)}, which has no gradient", hint="It must be a real float."
        )
    return loss


def _instead(loss: Any) -> str:
    if loss is None:
        return "Does it end in `return loss`?"
    if isinstance(loss, (Mapping, tuple, list)):
        return "Return the one tensor that is to be minimised."
    return "Return the tensor itself: .item(), float() and NumPy cut the graph."


def _is_loss(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim == 0 and value.requires_grad and value.is_floating_point()


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
