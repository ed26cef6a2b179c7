"""How a pass of the user's model is run, and what is known of it before."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LOW = (torch.float16, torch.bfloat16)
"""The low precisions."""


class RaisedByUser(Exception):
    """The user's code raised `error` while it was measured."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def low_precision(model: nn.Module, autocast: torch.dtype | None) -> torch.dtype | None:
    """The low precision in which gradients of this model are computed, if any are."""
    if autocast is not None:
        return autocast
    return next((p.dtype for p in model.parameters() if p.requires_grad and p.dtype in LOW), None)


def run_backward(loss: Tensor) -> None:
    """Run the backward pass, with anomaly mode off: it would raise where the probe wants to look.

    Whoever calls it has to bring the mode back, as `preserved` does.
    """
    torch.autograd.set_detect_anomaly(False)
    if torch._C._len_torch_function_stack() and hasattr(torch.autograd.graph, "get_gradient_edge"):
        # A function mode sees loss.backward() as one call, and none of those that hooks make inside it.
        torch.autograd.backward(torch.autograd.graph.get_gradient_edge(loss))
    else:
        loss.backward()
