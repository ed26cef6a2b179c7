"""How the probe runs the user's backward pass."""

from __future__ import annotations

import torch
from torch import Tensor


def run_backward(loss: Tensor) -> None:
    """Run the backward pass, with anomaly mode off: it would raise where the probe wants to look.

    Whoever calls it has to bring the mode back, as `preserved` does.
    """
    torch.autograd.set_detect_anomaly(False)
    loss.backward()
