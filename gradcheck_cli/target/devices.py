"""Devices and dtypes."""

from __future__ import annotations

import torch
from torch import nn

from gradcheck_cli.errors import TargetError
from gradcheck_cli.target.precheck import CASTS


def parse_device(name: str) -> torch.device:
    """Return a device that is really there.

    Raises:
        TargetError: This machine, or this build of PyTorch, does not have it.
    """
    try:
        device = torch.device(name)
    except RuntimeError as exc:
        raise TargetError(f"--device {name}: this build of PyTorch does not know it", hint="Use --device cpu.") from exc
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise TargetError("--device mps: this machine has no Apple GPU", hint="Use --device cpu.")
    if device.type == "cuda":
        _check_cuda(device, name)
    return device


def cast(model: nn.Module, dtype: str) -> None:
    """Cast a model's floating parameters and buffers, leaving integer and complex ones."""
    getattr(model, CASTS[dtype])()


def _check_cuda(device: torch.device, name: str) -> None:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise TargetError(
            f"--device {name}: PyTorch {torch.__version__} sees no CUDA device here",
            hint="Use --device cpu, or install a CUDA build of PyTorch on a machine with a GPU.",
        )
    if device.index is not None and device.index >= count:
        raise TargetError(f"--device {name}: there are {count} CUDA devices", hint=f"Use cuda:0 to cuda:{count - 1}.")
