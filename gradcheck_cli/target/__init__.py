"""What is checked: load the model, its batches and its loss, and call the user's code safely.

Importing this package does not import torch, so that a usage error costs nothing: `load_target`
looks at everything that can be judged without torch first.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from gradcheck_cli.target.code.usercode import no_hard_exit, quiet_stdout, user_code, user_frames
from gradcheck_cli.target.precheck import precheck

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import torch
    from torch import nn

    from gradcheck_cli.errors import GradcheckError
    from gradcheck_cli.records.spec import CheckSpec, Target

__all__ = [
    "check_loss",
    "explain_forward_error",
    "load_target",
    "no_hard_exit",
    "precheck",
    "quiet_stdout",
    "user_code",
    "user_frames",
    "wrap_target",
]


def load_target(spec: CheckSpec) -> Target:
    """Load the model, the batches and the loss that `spec` names, on its device and in its dtype.

    Raises:
        UsageError: An option cannot be understood.
        TargetError: The model, a batch, the loss or the weights cannot be found or loaded.
        UserCodeError: The user's code raised while it was imported or built.
        ProbeError: The model has no parameter that requires a gradient.
        Interrupted: The user's code, or the user, raised KeyboardInterrupt.
    """
    precheck(spec)
    from gradcheck_cli.target import load

    # The command line starts with the collector off; the user's code needs it, but not to walk through torch.
    gc.freeze()
    gc.enable()
    return load.load_target(spec)


def wrap_target(
    model: nn.Module,
    batch: Any,
    *,
    loss: Callable[..., Any] | str | None = None,
    step: Callable[..., Any] | None = None,
    name: str | None = None,
    seed: int = 0,
    batches: int = 1,
    device: str | None = None,
) -> Target:
    """Make a target of a live model, which is neither moved nor altered.

    `batch` follows the rules of the command line, and goes to the model's device. Where it is drawn, from a loader, a
    data set or a function, the random generators start from `seed` and come back as they were; `batches` are drawn.
    With a `device` it is a copy of the model that is checked, on that device.

    Raises:
        UsageError: Both `loss` and `step` are given, or `loss` names no known function.
        TargetError: `model` is not a module, `batch` holds no batch, or the device is not there.
        UserCodeError: The batch's own code raised.
        ProbeError: The model has no parameter that requires a gradient.
    """
    from gradcheck_cli.target import load

    return load.wrap_target(model, batch, loss=loss, step=step, name=name, seed=seed, batches=batches, device=device)


def explain_forward_error(model: nn.Module, exc: BaseException) -> GradcheckError:
    """Turn what a forward pass raised into an error that names the module, the shapes and the line."""
    from gradcheck_cli.target.code import forwardfailure

    return forwardfailure.explain_forward_error(model, exc)


def check_loss(loss: Any, source: str = "the loss") -> torch.Tensor:
    """Return `loss` if it is a scalar that a backward pass can start from.

    Raises:
        ProbeError: It is not a tensor, not a scalar, not floating point, or has no graph behind it.
    """
    from gradcheck_cli.target.loss import lossfunction

    return lossfunction.check_loss(loss, source)
