"""Which loss scale fits the gradient of a step: tried on the step itself, as float16 computes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradcheck_cli.records.retrying import ScalesTried
from gradcheck_cli.records.spec import Step
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.runtime.passes import forward_pass, scaled
from gradcheck_cli.runtime.state import preserved

_LARGEST = int(math.log2(Thresholds().largest_scale))
_HEADROOM = int(math.log2(Thresholds().headroom))


@dataclass(frozen=True, slots=True)
class _Counted:
    """Of a gradient's elements those that are not finite, those that are 0, and all."""

    broken: int
    zero: int
    of: int

    def lost(self, most: _Counted) -> float:
        """The share that is lost, held against what the largest scale that is finite keeps."""
        return self.broken / self.of if self.broken else max(self.zero - most.zero, 0) / self.of


class LossScales:
    """Loss scales that are tried on the backward passes of one update.

    Args:
        steps: The passes.
        held: The parameters whose gradients count.

    Attributes:
        passes: Forward and backward passes so far.
    """

    def __init__(self, steps: Sequence[Step], held: Sequence[Tensor]) -> None:
        self._steps, self._learn = steps, [p for p in held if p.requires_grad]
        self.passes = 0

    def tried(self, now: float, growth: int | None) -> ScalesTried | None:
        """What the scale that there is loses, and what the one that fits; None where there is no gradient to tell by.

        The largest power of two that keeps all elements finite is found by halving the range, which takes five tries.
        """
        counted = self._at(now)
        if counted.of == 0:
            return None
        finite: tuple[int, _Counted] | None = None
        below, above = -1, _LARGEST + 1
        while above - below > 1:
            middle = (below + above) // 2
            found = self._at(2.0**middle)
            if found.broken:
                above = middle
            else:
                below, finite = middle, (middle, found)
        if finite is None:
            return ScalesTried(now=now, lost=counted.broken / counted.of, growth=growth)
        most, fits = finite[1], max(finite[0] - _HEADROOM, 0)
        then = self._at(2.0**fits) if fits != finite[0] else most
        return ScalesTried(now=now, lost=counted.lost(most), fits=2.0**fits, lost_then=then.lost(most), growth=growth)

    def _at(self, scale: float) -> _Counted:
        broken = zero = of = 0
        self.passes += 2 * len(self._steps)
        for step in self._steps:
            with preserved(step.target.model, step.batch, getattr(step.target.forward, "loss", None)):
                loss = scaled(forward_pass(step).loss, scale)
                for gradient in torch.autograd.grad(loss, self._learn, allow_unused=True):
                    if gradient is not None:
                        of += gradient.numel()
                        broken += int((~torch.isfinite(gradient)).sum())
                        zero += int((gradient == 0).sum())
        return _Counted(broken, zero, of)
