"""What the backward passes of one update keep alive of their inputs, held against the memory that the run takes."""

from __future__ import annotations

import math
import sys

import torch

from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import data_of, memory_of

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

_SHARE = 0.01
"""Of a device's peak: a third of what watching may add to it."""

Inputs = dict[int, tuple[torch.device, int]]
"""Tensors from outside by where their memory begins: their device and bytes."""


def inputs_of(backward: Backward) -> Inputs:
    """What came from outside and leads to a loss."""
    tensors = [data.tensor for entry in backward.entries for data in data_of(entry)]
    sizes = {memory_of(tensor): (tensor.device, tensor.numel() * tensor.element_size()) for tensor in tensors}
    sizes.pop(0, None)
    return sizes


def is_much(inputs: Inputs, share: float | None = None) -> bool:
    """Whether they take more of some device than what is kept beside the run may, or than a `share` of its peak."""
    sizes: dict[torch.device, int] = {}
    for device, size in inputs.values():
        sizes[device] = sizes.get(device, 0) + size
    return any(size > (_SHARE if share is None else share) * peak(device) for device, size in sizes.items())


def peak(device: torch.device) -> float:
    """The most bytes that this process has held on a device; infinite where that is not counted."""
    if device.type == "cpu" and resource is not None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    try:
        return torch.accelerator.max_memory_allocated(device) if device.type != "cpu" else math.inf
    except (RuntimeError, ValueError):
        return math.inf
