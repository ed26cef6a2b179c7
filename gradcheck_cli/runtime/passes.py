"""How the probe runs the user's backward pass."""

from __future__ import annotations

import torch
from torch import Tensor


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
