"""Norms that neither overflow nor underflow, and that stay on the device until the end.

The square of a finite float32 can be infinite (|x| > 1.8e19) or zero (|x| < 1e-23), so a plain L2 norm
lies about very large and very small gradients. On the CPU, where reading a number is free, a norm
outside the safe range is taken again with scaling. On CUDA it is accumulated in float64, which costs
nothing in a memory-bound reduction, and read back once at the end.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Inside this range no square of an element that matters left float32's normal range.
_SAFE_LOW, _SAFE_HIGH = 1e-14, 1e17
_WIDE = {torch.float16: torch.float32, torch.bfloat16: torch.float32, torch.complex32: torch.complex64}

Scalar = float | Tensor
"""A number that is either here already or still on its device as a 0-dim tensor."""


def dense(tensor: Tensor) -> Tensor:
    """The values of a tensor without its graph; a sparse gradient gives its coalesced values."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.values()
    return tensor.resolve_conj() if tensor.is_complex() else tensor


def norm(tensor: Tensor) -> Scalar:
    """The L2 norm of `tensor` over all elements, exact over the whole range of its dtype."""
    tensor = dense(tensor)
    if not tensor.numel():
        return 0.0
    if not (tensor.is_floating_point() or tensor.is_complex()):
        tensor = tensor.to(torch.float32)
    if tensor.device.type == "cuda" and not tensor.is_complex():
        return _l2(tensor, torch.float64)
    wide = _WIDE.get(tensor.dtype)
    result = _l2(tensor.to(wide)) if tensor.is_complex() and wide else _l2(tensor, wide)
    if tensor.device.type != "cpu":
        return result
    value = float(result.item())
    return value if _SAFE_LOW < value < _SAFE_HIGH else _scaled_norm(tensor)


def _l2(tensor: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    result: Tensor = torch.linalg.vector_norm(tensor, dtype=dtype)
    return result


def _scaled_norm(tensor: Tensor) -> float:
    largest = extreme(tensor)
    value = largest.item() if isinstance(largest, Tensor) else largest
    if value == 0.0 or not math.isfinite(value):
        return value
    wide = tensor.abs().to(torch.float64) / value
    return float(torch.linalg.vector_norm(wide).item() * value)


def extreme(tensor: Tensor) -> Scalar:
    """The largest |x|; NaN where there is one."""
    tensor = dense(tensor)
    if not tensor.numel():
        return 0.0
    if tensor.is_complex() or tensor.dtype is torch.bool:
        return tensor.abs().amax() if tensor.is_complex() else float(tensor.any())
    low, high = torch.aminmax(tensor)
    return torch.maximum(low.abs(), high.abs())


def settle(scalars: list[Scalar]) -> list[float]:
    """All `scalars` as Python floats, with one transfer per device."""
    values = [0.0 if isinstance(scalar, Tensor) else float(scalar) for scalar in scalars]
    waiting: dict[torch.device, list[int]] = {}
    for index, scalar in enumerate(scalars):
        if isinstance(scalar, Tensor):
            waiting.setdefault(scalar.device, []).append(index)
    for indexes in waiting.values():
        stacked = torch.stack([scalars[i].detach().double() for i in indexes])  # type: ignore[union-attr]
        for index, value in zip(indexes, stacked.tolist(), strict=True):
            values[index] = value
    return values
