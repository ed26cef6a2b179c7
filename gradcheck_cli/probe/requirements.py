"""What must hold before a gradient can be measured."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from gradcheck_cli.errors import ProbeError


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
