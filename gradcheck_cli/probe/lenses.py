"""What an op's saved tensors tell about slopes, dead units and saturation; one row an op.

A lens runs in a pre-hook, the last moment at which the saved tensors are alive. Big tensors are read on
an evenly strided sample, except for dead units, which must be seen on every element.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradcheck_cli.records.ops import CHANNELED, stem
from gradcheck_cli.records.thresholds import USUAL
from gradcheck_cli.runtime.norms import Scalar, norm

_SAMPLE = 1 << 16
MANY = 0.5
"""Share of dead units from which on it matters which they are, and what the others do."""


class LensReading(NamedTuple):
    """What one lens says, possibly still on its device; the fields of `records.Lens`, `off` as a mask."""

    kind: str
    slope: Scalar | None = None
    saturated: Scalar | None = None
    dead: Scalar | None = None
    off: Tensor | None = None
    always: Scalar | None = None
    output_rms: Scalar | None = None
    target_rms: Scalar | None = None
    per_sample: Scalar | None = None
    unexplained: Scalar | None = None
    units: int = 0
    samples: int = 0
    length: int | None = None


MEASURED = ("slope", "saturated", "dead", "always", "output_rms", "target_rms", "per_sample", "unexplained")
"""The fields of a Reading that may still be on their device."""


def _sample(tensor: Tensor) -> Tensor:
    flat = tensor.detach().reshape(-1)
    if flat.numel() > _SAMPLE:
        flat = flat[:: flat.numel() // _SAMPLE]
    return flat.float() if flat.dtype in (torch.float16, torch.bfloat16) else flat


def _slopes(slope: Tensor, largest: float) -> LensReading:
    slope = slope.abs()
    saturated = (slope < USUAL.flat_slope * largest).float().mean()
    return LensReading("activation", slope=slope.mean(), saturated=saturated, units=1, samples=slope.numel())


def _sigmoid(node: Any, channels: bool) -> LensReading:
    y = _sample(node._saved_result)
    return _slopes(y * (1 - y), 0.25)


def _tanh(node: Any, channels: bool) -> LensReading:
    return _slopes(1 - _sample(node._saved_result) ** 2, 1.0)


def _by_derivative(
    function: Callable[..., Tensor], *saved: str, largest: float = 1.0
) -> Callable[[Any, bool], LensReading]:
    """The slope of any elementwise function, from its saved input and the arguments that are `saved` beside it."""

    def read(node: Any, channels: bool) -> LensReading:
        with torch.enable_grad():
            x = _sample(node._saved_self).clone().requires_grad_()
            arguments = [getattr(node, f"_saved_{name}") for name in saved]
            (slope,) = torch.autograd.grad(function(x, *arguments).sum(), x)
        return _slopes(slope, largest)

    return read


def _relu(node: Any, channels: bool) -> LensReading:
    return _rectified(node._saved_result, channels)


def _threshold(node: Any, channels: bool) -> LensReading:
    threshold = node._saved_threshold
    return _rectified(node._saved_self - threshold if threshold else node._saved_self, channels)


def _rectified(active: Tensor, channels: bool) -> LensReading:
    """Positive where the slope is 1: per unit over the whole batch, since half of all elements are
    zero in a healthy layer."""
    unit = 1 if channels and active.dim() > 2 else active.dim() - 1
    if active.dim() < 2 or not active.numel():
        return LensReading("activation", slope=(active > 0).float().mean(), units=active.numel(), samples=1)
    units, few = active.shape[unit], _sample(active)
    slope = torch.count_nonzero(few > 0) / few.numel()
    dead = _dead(active, unit)
    many = isinstance(dead, Tensor) or dead >= MANY
    return LensReading(
        "activation",
        slope=slope,
        dead=dead,
        off=_off(active, unit) if many else None,
        always=_always(active, unit) if many else None,
        units=units,
        samples=active.numel() // units,
    )


def _dead(active: Tensor, unit: int) -> Scalar:
    """The share of units that are nowhere positive; most are seen to be alive in the first sample alone."""
    others = [d for d in range(active.dim()) if d != unit]
    if active.device.type != "cpu":  # looking would wait for the device
        return _off(active, unit).float().mean()
    silent = (active.narrow(others[0], 0, 1).amax(dim=others) <= 0).nonzero().flatten()
    if not len(silent):
        return 0.0
    dead = torch.count_nonzero(active.index_select(unit, silent).amax(dim=others) <= 0)
    return int(dead) / active.shape[unit]


def _off(active: Tensor, unit: int) -> Tensor:
    """Which units are nowhere positive."""
    return active.amax(dim=[d for d in range(active.dim()) if d != unit]) <= 0


def _always(active: Tensor, unit: int) -> Scalar:
    """The share of units that are positive everywhere."""
    others = [d for d in range(active.dim()) if d != unit]
    return (active.amin(dim=others) > 0).float().mean()


def _softmax(node: Any, channels: bool) -> LensReading:
    result, dim = node._saved_result, node._saved_dim
    length = result.shape[_signed(dim, result.dim())]
    rows = result.movedim(_signed(dim, result.dim()), -1).reshape(-1, length).detach()
    if rows.numel() > _SAMPLE:
        rows = rows[:: max(1, rows.numel() // _SAMPLE)]
    saturated = (rows.float().amax(-1) > 1 - USUAL.one_hot_rest).float().mean()
    return LensReading("softmax", saturated=saturated, length=length)


def _exponential(node: Any, channels: bool) -> LensReading:
    """Saturated where it is exactly 0: its slope is what it puts out."""
    result = _sample(node._saved_result)
    return LensReading("exponential", saturated=(result == 0).float().mean(), units=1, samples=result.numel())


def _log_softmax(node: Any, channels: bool) -> LensReading:
    result = node._saved_result
    length = result.shape[_signed(node._saved_dim, result.dim())]
    return LensReading("softmax", length=length)


def _layer_norm(node: Any, channels: bool) -> LensReading:
    return LensReading("normalization", length=math.prod(int(n) for n in node._saved_normalized_shape))


def _group_norm(node: Any, channels: bool) -> LensReading:
    return LensReading("normalization", length=int(node._saved_C) // int(node._saved_group) * int(node._saved_HxW))


def _batch_norm(node: Any, channels: bool) -> LensReading:
    if not node._saved_training:
        return LensReading("normalization")
    x = node._saved_input
    return LensReading("normalization", length=x.numel() // x.shape[1])


def _regression(node: Any, channels: bool) -> LensReading:
    output, target = node._saved_self, node._saved_target
    scale = max(output.numel(), 1) ** 0.5
    error = norm((output - target).detach()) / scale if output.shape == target.shape and target.numel() > 1 else None
    return LensReading(
        "loss",
        output_rms=norm(output) / scale,
        target_rms=norm(target) / max(target.numel(), 1) ** 0.5,
        unexplained=None if error is None else error / target.std(unbiased=False),
    )


def _likelihood(node: Any, channels: bool) -> LensReading:
    """The mean loss of one sample, whatever the reduction, the weights and the scale that follow."""
    rows, labels = node._saved_self, node._saved_target
    mean = torch.nn.functional.nll_loss(rows, labels, ignore_index=_signed(node._saved_ignore_index, 1 << 62))
    return LensReading("loss", per_sample=mean, length=rows.shape[1] if rows.dim() > 1 else rows.shape[0])


def _signed(dim: int, dims: int) -> int:
    """A saved dim comes back unsigned when it was negative."""
    return dim - (1 << 64) if dim >= dims else dim


LENSES: dict[str, Callable[[Any, bool], LensReading]] = {
    "SigmoidBackward0": _sigmoid,
    "TanhBackward0": _tanh,
    "ReluBackward0": _relu,
    "ThresholdBackward0": _threshold,
    "GeluBackward0": _by_derivative(lambda x, how: torch.nn.functional.gelu(x, approximate=how), "approximate"),
    "SiluBackward0": _by_derivative(torch.nn.functional.silu),
    "MishBackward0": _by_derivative(torch.nn.functional.mish),
    "SoftplusBackward0": _by_derivative(torch.nn.functional.softplus, "beta", "threshold"),
    "HardtanhBackward0": _by_derivative(torch.nn.functional.hardtanh, "min_val", "max_val"),
    "HardsigmoidBackward0": _by_derivative(torch.nn.functional.hardsigmoid, largest=1 / 6),
    "HardswishBackward0": _by_derivative(torch.nn.functional.hardswish),
    "LogSigmoidBackward0": _by_derivative(torch.nn.functional.logsigmoid),
    "ExpBackward0": _exponential,
    "SoftmaxBackward0": _softmax,
    "LogSoftmaxBackward0": _log_softmax,
    "NllLossBackward0": _likelihood,
    "NllLoss2DBackward0": _likelihood,
    "MseLossBackward0": _regression,
    "SmoothL1LossBackward0": _regression,
    "HuberLossBackward0": _regression,
    "NativeLayerNormBackward0": _layer_norm,
    "NativeGroupNormBackward0": _group_norm,
    "NativeBatchNormBackward0": _batch_norm,
}


def look(name: str, node: Any, child: str) -> LensReading | None:
    """Read the lens of op `name`, if it has one; `child` names the op that fed it, which tells whether
    dimension 1 holds channels. None where the saved tensors cannot be read as expected."""
    lens = LENSES.get(name)
    if lens is None:
        return None
    channels = stem(child) in CHANNELED
    try:
        return lens(node, channels)
    except (AttributeError, RuntimeError):  # saved tensors that were packed away or freed
        return None
