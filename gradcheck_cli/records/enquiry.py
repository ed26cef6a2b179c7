"""What further passes are asked, where a measurement looks odd, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from gradcheck_cli.records.source import SourceLine


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """What to measure beside the one pass; false where nothing is asked.

    Attributes:
        nulls: The losses of the two null predictions.
        profile: Distinguishability by depth.
        steep: Index of the module whose gradient is to be followed a little way; None for none.
        functions: Indexes of ops of custom Functions whose backward is to be held against their forward.
        double: The gradient in float64.
    """

    nulls: bool = False
    profile: bool = False
    steep: int | None = None
    functions: tuple[int, ...] = ()
    double: bool = False

    def __bool__(self) -> bool:
        return self.nulls or self.profile or self.steep is not None or bool(self.functions) or self.double


class Distinct(NamedTuple):
    """Distinguishability of what goes into a layer: D in 0 to 1, the layer's module index, its line and `rows`.

    `apart` is the smaller D between samples at one position and between the positions of one sample, as of a head.
    """

    module: int
    source: SourceLine | None
    distinguishability: float
    rows: int
    apart: float | None = None


class Agreement(NamedTuple):
    """How well a layer's gradient predicts the loss: (L+ - L-) / (2e-4 S L), 1 where it does (THEORY.md, section 4d).

    `above` and `below` are L+ and L-, the losses at +-1e-4 of the layer's weights along its gradient.
    """

    module: int
    above: float
    below: float
    agreement: float


class FunctionTest(NamedTuple):
    """The backward of a custom Function against differences of its forward, over a few directions.

    `decades` is log10 of the norm of what the backward gives over that of the differences: 0 where they agree, -inf
    where the backward gives exactly nothing, None where the forward does not move at all. `alike` is their cosine.
    """

    op: int
    decades: float | None
    alike: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Enquiry:
    """What further passes told; None or empty where it was not asked or could not be had.

    Attributes:
        zeroed: L0, the loss with the head's parameters at 0: what no prediction costs.
        mean: Lm, the loss with the head's input at its mean: what one answer for all samples costs.
        without_nulls: Why there are no null predictions, though they were asked for.
        profile: Distinguishability of what goes into each layer, in the order of the forward pass.
        agreement: Of the layer that was asked for.
        functions: Of the ops that were asked for, as far as they could be called again.
        in_double: Norm of the whole gradient of the same step on a float64 copy.
        passes: Forward passes that were made for it.
    """

    zeroed: float | None = None
    mean: float | None = None
    without_nulls: str = ""
    profile: tuple[Distinct, ...] = ()
    agreement: Agreement | None = None
    functions: tuple[FunctionTest, ...] = ()
    in_double: float | None = None
    passes: int = 0


class AtChance(NamedTuple):
    """A step held against one answer for every sample: its loss, Lm (THEORY.md, section 4a), and D at its head.

    `distinguishability` is that of what goes into the head, the largest of several (section 4b); None where it is not
    seen, or of fewer than four rows.
    """

    loss: float
    mean: float
    distinguishability: float | None = None
