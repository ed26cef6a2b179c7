"""Guess the loss from the shapes and values of output and target, where the user gave none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from gradcheck_cli.errors import TargetError
from gradcheck_cli.records.ops import SIGMOIDS, SOFTMAXES, VIEW_LIKE, stem
from gradcheck_cli.target.loss.lossfunction import main_tensor

# Logits of a small batch can all lie within (0, 1) by chance; not this many of them.
_MANY = 64


def guess_loss(output: Any, target: Any) -> tuple[torch.Tensor, str]:
    """Return a loss for this output and target, and its name.

    Integer target: cross_entropy over dimension 1, or over the last (nll_loss where the output holds
    log-probabilities). Float target: mse_loss, or binary cross entropy where it holds only 0 and 1. No
    target: the mean square of the output.

    Raises:
        TargetError: The shapes fit none of these.
    """
    out = main_tensor(output)
    if not isinstance(out, torch.Tensor):
        raise _no_guess(output, target, f"the output is a {type(out).__name__}")
    if target is None:
        return out.abs().pow(2).mean(), "mean of output squared (there is no target)"
    if not isinstance(target, torch.Tensor):
        raise _no_guess(out, target, f"the target is a {type(target).__name__}")
    if target.is_floating_point() or target.is_complex():
        return _regression(out, target)
    return _classification(out, target)


def _classification(out: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, str]:
    if out.ndim == target.ndim and target.shape[-1:] == (1,) and out.shape[-1] > 1:
        target = target.squeeze(-1)
    classes = _class_dim(out, target)
    if classes is None or out.shape[classes] == 1:
        return _regression(out, target)
    # movedim would add an op to the graph even where it moves nothing.
    return _over_classes(out if classes == 1 else out.movedim(classes, 1), target.long(), classes)


def _class_dim(out: torch.Tensor, target: torch.Tensor) -> int | None:
    """The dimension of the classes: 1 as in [N, C, H, W], or the last as in [N, T, C]."""
    if out.ndim != target.ndim + 1 or not out.is_floating_point() or out.ndim < 2:
        return None
    last = out.shape[:-1] == target.shape
    first = out.shape[:1] + out.shape[2:] == target.shape
    # Both fit a square sequence [N, T, T], where the habit is classes last.
    if last and (out.ndim <= 3 or not first):
        return out.ndim - 1
    return 1 if first else None


def _over_classes(out: torch.Tensor, target: torch.Tensor, dim: int) -> tuple[torch.Tensor, str]:
    over = f" over dimension {dim}" if dim > 1 else ""
    if _is_log_probability(out):
        return functional.nll_loss(out, target), f"nll_loss{over} (the output is log-probabilities)"
    if _is_probability(out):
        # Not cross_entropy, which would put a second softmax on top of the model's.
        return functional.nll_loss(out.log(), target), f"nll_loss{over} of the output's log (it is probabilities)"
    return functional.cross_entropy(out, target), f"cross_entropy{over}"


def _regression(out: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, str]:
    fitted = _same_shape(out, target)
    if fitted is None:
        raise _no_guess(out, target, "their shapes fit no usual loss")
    if fitted.is_complex() or target.is_complex():
        return (fitted - target).abs().pow(2).mean(), "mean squared distance"
    target = target.to(fitted.dtype)
    if not _is_binary(target):
        return functional.mse_loss(fitted, target), "mse_loss"
    if _is_squashed(fitted):
        return functional.binary_cross_entropy(fitted, target), "binary_cross_entropy"
    return functional.binary_cross_entropy_with_logits(fitted, target), "binary_cross_entropy_with_logits"


def _same_shape(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor | None:
    """The output in the target's shape, where they differ by sizes of 1 at the end at most."""
    if out.shape == target.shape:
        return out
    if out.shape == (*target.shape, 1) or (*out.shape, 1) == tuple(target.shape):
        return out.reshape(target.shape)
    return None


@torch.no_grad()
def _is_binary(target: torch.Tensor) -> bool:
    return bool(((target == 0) | (target == 1)).all())


@torch.no_grad()
def _is_log_probability(out: torch.Tensor) -> bool:
    return bool(out.logsumexp(1).abs().max() < _tolerance(out)) if out.numel() else False


@torch.no_grad()
def _is_probability(out: torch.Tensor) -> bool:
    if not out.numel() or bool((out < 0).any()):
        return False
    return bool((out.sum(1) - 1).abs().max() < _tolerance(out))


def _tolerance(out: torch.Tensor) -> float:
    # Rounding of a sum over the classes, each to half a unit in the last place.
    return max(1e-4, 4 * torch.finfo(out.dtype).eps)


@torch.no_grad()
def _is_squashed(out: torch.Tensor) -> bool:
    """Whether the output holds probabilities: within [0, 1], and a sigmoid's or too many for chance."""
    if not bool(((out >= 0) & (out <= 1)).all()):
        return False
    return _made_by(out) in _PROBABILITIES or (out.numel() >= _MANY and bool(((out > 0) & (out < 1)).all()))


_PROBABILITIES = SIGMOIDS | SOFTMAXES


def _made_by(out: torch.Tensor) -> str:
    """The stem of the op that made the values, behind those that lay them out anew."""
    node = out.grad_fn
    while node is not None and stem(node.name()) in VIEW_LIKE and len(node.next_functions) == 1:
        node = node.next_functions[0][0]
    return stem(node.name()) if node is not None else ""


def _no_guess(output: Any, target: Any, reason: str) -> TargetError:
    return TargetError(
        f"no loss can be guessed for output {described(output)} and target {described(target)}: {reason}",
        hint="Say which: --loss NAME (torch.nn.functional), --loss file.py:NAME or --step file.py:NAME.",
    )


def described(value: Any) -> str:
    """A value in a few words: dtype and shape of a tensor, else its type."""
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, (tuple, list)) and len(value) <= 4:
        return f"({', '.join(described(item) for item in value)})"
    if isinstance(value, Mapping) and len(value) <= 4:
        return f"{type(value).__name__}({', '.join(f'{key}: {described(item)}' for key, item in value.items())})"
    return type(value).__name__
