"""What a loss, an output or an input is held against: chance, the scale of the targets, a scale of 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.records.ops import DIFFERENCE_CALLS, DISTANCE_CALLS, MEANS_AND_SUMS, kind_of
from gradcheck_cli.records.targetcomparison import TargetComparison

_DIFFERENCES = frozenset(("Abs", "Pow", "Mul"))
"""What makes a loss of a difference: |output - target|, or its square."""
_LOSS_OPS = 4
"""Ops next to the loss that are looked at."""


@dataclass(frozen=True, eq=False)
class References:
    """Scale-free references of one measurement."""

    graph: OpGraph

    @cached_property
    def input_scales(self) -> tuple[float, ...]:
        """RMS of every floating input."""
        found = (s.rms for s in self.graph.measurement.inputs if s.is_floating)
        return tuple(rms for rms in found if rms is not None)

    @property
    def input_rms(self) -> float | None:
        """RMS of the first floating input."""
        return next(iter(self.input_scales), None)

    @cached_property
    def compared(self) -> tuple[float, float] | None:
        """RMS of the output and of the target of a regression loss."""
        measurement = self.graph.measurement
        lens = next((lens for lens in measurement.lenses if lens.target_rms is not None), None)
        if lens is not None:
            return (lens.output_rms, lens.target_rms) if lens.output_rms is not None and lens.target_rms else None
        outputs, targets = measurement.outputs, measurement.targets
        if not self.ends_in_difference or len(outputs) != 1 or len(targets) != 1:
            return None
        (output,), (target,) = outputs, targets
        same = output.numel == target.numel and output.rms is not None and target.rms is not None
        return (output.rms or 0.0, target.rms or 0.0) if same else None

    @cached_property
    def distances(self) -> tuple[TargetComparison, ...]:
        """The comparisons that measure a distance from each output to a target of its own."""
        return tuple(c for c in self.graph.measurement.comparisons if _measures(c))

    @property
    def ends_in_difference(self) -> bool:
        """Whether the loss is a mean or sum of |output - target| or its square, written with plain ops."""
        index, stems = 0, list[str]()
        while index < len(self.graph.measurement.ops) and len(stems) < _LOSS_OPS and self.graph.op(index).edges:
            stems.append(self.graph.stem(index))
            index = self.graph.op(index).edges[0].to
        kinds = [stem for stem in stems if stem not in MEANS_AND_SUMS]
        return len(stems) > 2 and len(kinds) > 1 and kinds[0] in _DIFFERENCES and kinds[1] == "Sub"

    @cached_property
    def is_one_term(self) -> bool:
        """Whether the loss is a cross entropy or a regression alone, scaled at most, and not a sum of terms."""
        if self.chance is None and self.compared is None:
            return False
        index = 0
        while len(self.graph.op(index).edges) == 1 and kind_of(self.graph.op(index).name) != "loss":
            index = self.graph.op(index).edges[0].to
        return kind_of(self.graph.op(index).name) == "loss" or self.ends_in_difference

    @cached_property
    def chance(self) -> tuple[float, float] | None:
        """(loss per sample, chance) of the worst cross entropy: chance is ln C for C classes.

        One below 0 is none: it was given no log-probabilities.
        """
        found = [
            (lens.per_sample, math.log(lens.length))
            for lens in self.graph.measurement.lenses
            if lens.per_sample is not None and 0 <= lens.per_sample < math.inf and lens.length and lens.length > 1
        ]
        return max(found, key=lambda pair: pair[0] / pair[1], default=None)

    @cached_property
    def unexplained(self) -> float | None:
        """RMS error of the worst regression over its target's standard deviation."""
        return max((lens.unexplained for lens in self.graph.measurement.lenses if lens.unexplained), default=None)


def _measures(found: TargetComparison) -> bool:
    """Whether it is a distance; the labels of a discriminator or a margin, one number for all, are written too."""
    same = found.output.count == found.target.count
    written = found.function in DIFFERENCE_CALLS and found.averaged and found.target.most > found.target.least
    return same and (found.function in DISTANCE_CALLS or written)
