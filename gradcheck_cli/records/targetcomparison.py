"""What the code of a loss compares: outputs with targets, by their shapes and their ranges."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradcheck_cli.records.source import SourceLine


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One side of a comparison: its shape, its extremes, and where it is of a floating dtype its standard deviation.

    `whole` says whether its numbers are whole ones, as far as the first of them tell.
    """

    shape: tuple[int, ...]
    least: float
    most: float
    spread: float | None = None
    whole: bool = False

    @property
    def count(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetComparison:
    """A loss function, or a difference or a product outside of all modules, of what is learned and what is given.

    Attributes:
        function: The torch function, such as "mse_loss"; "sub" and "mul" are operators.
        op: Index of the op that it made; -1 where that is not among the ops.
        source: The user's line.
        output: The side that requires a gradient.
        target: The side that does not.
        shape: The shape of what was compared element by element.
        made_by: The stem of what made the output, behind views, such as "Sigmoid"; "" where it is a leaf.
        low: The least that this can put out, and `high` the most; infinite where there is no such bound.
        outside: Share of the targets that lie outside of these; None where there are no bounds.
        clipped: Share of its elements that a clamp cut off afterwards.
        averaged: Whether nothing but a mean or a sum over all elements, of a function of each, became of it.
    """

    function: str
    op: int
    source: SourceLine | None
    output: Side
    target: Side
    shape: tuple[int, ...]
    made_by: str = ""
    low: float = -math.inf
    high: float = math.inf
    outside: float | None = None
    clipped: float = 0.0
    averaged: bool = False

    @property
    def broadcasts(self) -> bool:
        """Whether every output met every target: one number each, (N, 1) against (N,), makes (N, N).

        The targets may have been broadcast before, as (N,) rewards and (N, 1) values of the next state are.
        """
        output, target = self.output.shape, self.target.shape
        alike = tuple(n for n in output if n != 1) == tuple(n for n in target if n != 1)
        count, pairs = self.output.count, math.prod(self.shape)
        before = count > 2 and target == self.shape == (count, count)
        return before or (len(output) != len(target) and alike and pairs > max(count, self.target.count))
