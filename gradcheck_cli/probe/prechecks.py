"""What must hold before a gradient can be measured."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gradcheck_cli.errors import ProbeError


def check_loss(loss: Any) -> None:
    """Raise a ProbeError that says why `loss` cannot be differentiated, if it cannot."""
    if not isinstance(loss, Tensor):
        raise ProbeError(
            f"the loss is a {type(loss).__name__}, not a tensor", hint="Return the tensor, without .item()."
        )
    if loss.numel() != 1:
        raise ProbeError(
            f"the loss has shape {tuple(loss.shape)}, not a single number", hint="Reduce it, for example with .mean()."
        )
    if loss.grad_fn is None:
        raise ProbeError(
            "the loss has no graph: nothing that requires a gradient reaches it",
            hint="Look for no_grad, .detach(), .data, .item() or a frozen model on the way to the loss.",
        )


def require_parameters(model: nn.Module) -> None:
    """Raise a ProbeError if `model` has no parameter that can get a gradient."""
    parameters = list(model.parameters())
    if not parameters:
        raise ProbeError("the model has no parameters", hint="Register its tensors with nn.Parameter.")
    if not any(p.requires_grad for p in parameters):
        raise ProbeError(
            "no parameter of the model requires a gradient", hint="Unfreeze some with requires_grad_(True)."
        )


def statistics_never_taken(model: nn.Module) -> bool:
    """Whether a model that is in eval mode as a whole normalises by statistics that are still their defaults."""
    if any(module.training for module in model.modules()):
        return False
    counts = [getattr(m, "num_batches_tracked", None) for m in model.modules() if isinstance(m, _BatchNorm)]
    return any(count is not None and count.item() == 0 for count in counts)
