"""What one instrumented pass measured, in plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gradcheck_cli.records.ops import stem
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.spec import Samples
from gradcheck_cli.records.targetcomparison import TargetComparison
from gradcheck_cli.records.term import Term


class Edge(NamedTuple):
    """A contribution: the gradient of norm `norm` that an op sends to the op at index `to`."""

    to: int
    norm: float


class Op(NamedTuple):
    """One node of the autograd graph (a NamedTuple because there can be 100,000 of them).

    Attributes:
        name: The node's name, such as `SigmoidBackward0`; a leaf is `AccumulateGrad`.
        sequence: Its place in the order of the forward pass; -1 for a leaf.
        module: Index into `Measurement.modules` of the innermost module that made it; -1 if none.
        source: Index into `Measurement.sources` of the user's line that called it; -1 if unknown.
        total: Norm of the gradient that arrived, summed over the in-edges; 0 if none did.
        edges: What it sent on, one edge for each input that leads to a leaf.
    """

    name: str
    sequence: int
    module: int
    source: int
    total: float
    edges: tuple[Edge, ...]

    @property
    def stem(self) -> str:
        """Its stem in the vocabulary of `records.ops`, such as "Sigmoid"; "" for a custom Function."""
        return stem(self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterMeasurement:
    """One parameter and its gradient in this pass.

    `names` holds every name of a tied parameter; `module` is the index of the module that owns the
    first. `op` is the index of its leaf among the ops, or None where no path from the loss reaches it.
    `active_weight_norm` counts only the rows whose gradient is not exactly zero (embeddings).
    `spectral_radius` is that of a square weight used at eight steps or more, None for any other. `copies` says whether
    all rows of a weight are one and the same, and all rows of its gradient, which is not 0.
    """

    names: tuple[str, ...]
    module: int
    shape: tuple[int, ...]
    dtype: str
    numel: int
    requires_grad: bool
    op: int | None
    grad_norm: float | None
    grad_max: float | None
    zero_share: float | None
    nan_count: int
    inf_count: int
    weight_norm: float
    active_weight_norm: float
    weight_nonfinite: int = 0
    spectral_radius: float | None = None
    copies: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleMeasurement:
    """One module of the model.

    `path` is its dotted name ("" for the root). `calls` counts its forward passes; `output_rms` is the RMS of its
    floating outputs, `output_ops` the indexes of the ops that made them. `built` is the index into
    `Measurement.sources` of the line that built it, -1 where that was not seen. `dropped` is the share that dropout
    in train mode puts to 0.
    """

    path: str
    kind: str
    calls: int
    output_rms: float | None
    output_ops: tuple[int, ...]
    training: bool = True
    built: int = -1
    dropped: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Lens:
    """What the saved tensors of one op say, read just before its backward ran.

    Attributes:
        op: Index of the op.
        kind: "activation", "exponential", "softmax", "normalization" or "loss".
        slope: Mean absolute slope of an activation; None for the others.
        saturated: Share of elements whose slope is below a hundredth of the function's largest; of an exponential, of
            those that are 0.
        dead: Share of units (features or channels) whose slope is exactly 0 over the whole batch.
        off: Which units these are; empty where they are few.
        always: Share of units whose slope is not 0 anywhere in the batch; None where few are dead.
        units: How many units there are; 1 where they are not told apart.
        samples: How many elements each unit was seen on.
        length: The length a softmax or a normalisation runs over.
        output_rms: RMS of what a regression loss compares, and `target_rms` of what it compares it with.
        per_sample: Mean loss of one sample of a cross entropy, over `length` classes.
        unexplained: RMS of a regression's error over the standard deviation of its target, sqrt(1 - R^2).
    """

    op: int
    kind: str
    slope: float | None = None
    saturated: float | None = None
    dead: float | None = None
    off: tuple[int, ...] = ()
    always: float | None = None
    units: int = 0
    samples: int = 0
    length: int | None = None
    output_rms: float | None = None
    target_rms: float | None = None
    per_sample: float | None = None
    unexplained: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """A place where the forward pass left the graph although its input required a gradient.

    `op` is "Parameter" where a constructor made a parameter, which `module` owns, of the values of others. `parameters`
    are the indexes of those that lie behind it and that no other path reaches; `used` says whether what came out went
    on into another layer, rather than into a metric or a target; `leaf` whether it was the parameter's own value that
    left, rather than what was computed of it and of other things.
    """

    op: str
    module: int
    source: SourceLine | None
    parameters: tuple[int, ...]
    used: bool
    leaf: bool = False


class Severed(NamedTuple):
    """Calls of one module that got no gradient, since what they made was carried on without its graph.

    `calls` of its calls made what `op` took out of the graph at `source`, and nothing else of them reaches the loss.
    """

    module: int
    op: str
    calls: int
    source: SourceLine | None


class Swap(NamedTuple):
    """A view that gives a tensor the same sizes in another order, and leaves its elements where they are."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    op: str
    source: SourceLine | None


class Element(NamedTuple):
    """One element of a tensor: its index and its value."""

    at: tuple[int, ...]
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Operand:
    """A tensor or number that went into an op.

    `smallest` and `largest` are its extremes, None where it is empty; `elements` are the first of its
    elements at which the op went wrong, where element meets element.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    smallest: float | None
    largest: float | None
    elements: tuple[Element, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The op in which values stopped being finite: in the forward pass what it put out, in the backward what it sent.

    Attributes:
        op: Its name as the user knows it, such as "log".
        node: Index of the op among the ops, for the backward pass; -1 for the forward.
        module: Index of the innermost module that ran it; -1 if none.
        source: The user's line that called it.
        produced: "nan" or "inf".
        count: Elements of what it put out that are not finite, of `numel`.
        operands: What went in; for the backward pass what it had saved.
        unwanted: Share of the bad elements whose incoming gradient is exactly 0: what came out there was not asked
            for. None for the forward pass, but where the gradient of another op met what it had made.
        derived: Whether the op's gradient made it, inside torch.autograd.grad; `operands` are what the op had saved.
        idle: Whether nothing of the loss was made from it.
        normalised: Whether what it made is divided by what was made from that, as in a softmax by hand.
    """

    op: str
    node: int = -1
    module: int
    source: SourceLine | None
    produced: str
    count: int
    numel: int
    operands: tuple[Operand, ...]
    unwanted: float | None = None
    derived: bool = False
    idle: bool = False
    normalised: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NonfiniteInput:
    """A value that was not finite before the pass, and that reached the loss, a gradient or an exception.

    `kind` is "batch", "parameter" or "buffer", `name` that of the tensor, `produced` "nan" or "inf"; `origin` is the
    op by which it came in.
    """

    kind: str
    name: str
    produced: str
    origin: Origin | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorStats:
    """A tensor of the batch, the output or the target, in numbers.

    `first_bad` is the index of the first NaN, or of the first Inf where there is no NaN. `widest` is the RMS of the
    largest column of a table over that of the median one, and `column` its index; `offset` is how far the median column
    lies from 0, in its standard deviations; `alike` says whether all rows are the same.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    numel: int
    rms: float | None
    std: float | None
    nan_count: int = 0
    inf_count: int = 0
    first_bad: tuple[int, ...] = ()
    widest: float | None = None
    column: int = -1
    offset: float | None = None
    alike: bool = False

    @property
    def is_index(self) -> bool:
        """Whether its numbers are whole ones by their dtype."""
        return self.dtype.startswith(("int", "uint"))

    @property
    def is_floating(self) -> bool:
        """Whether its numbers are amounts, real ones, rather than names."""
        return self.dtype.startswith(("float", "bfloat"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Rounding:
    """What a low precision does to the gradient of one parameter.

    Attributes:
        parameter: Its name.
        dtype: The low precision, such as "float16".
        lost: Share of elements that are 0 in it and not in float32.
        subnormal: Share of elements that are below its smallest normal number, and so have fewer digits.
        near_limit: Share of elements within a factor of `Thresholds.headroom` of `limit`.
        largest: Largest absolute value in it, and `largest_float32` in float32.
        limit: The largest number that it holds.
    """

    parameter: str
    dtype: str
    lost: float
    subnormal: float
    near_limit: float
    largest: float
    largest_float32: float
    limit: float


class Head(NamedTuple):
    """A matrix product by a weight with no other one between itself and the loss on some path.

    Attributes:
        op: Index of the op.
        call: Which of the pass's calls of matrix functions made it, from 0; -1 where none that can be answered did.
        distinguishability: D of what goes in: mean square of its deviation from the mean over `rows`, over its mean
            square, 0 to 1 (THEORY.md, section 4b); None where it was not kept, has fewer than 4 rows, or is no
            activation but a gradient inside the loss.
        rows: Samples, tokens, nodes or pixels: all but the channels; 0 where they are not known.
        floor: What rounding leaves of D in this dtype.
        apart: The smaller D of two: between samples at one position, and between the positions of one sample; None
            where there are no positions.
        between: "samples" or "positions", which of the two it is.
    """

    op: int
    call: int
    distinguishability: float | None
    rows: int
    floor: float
    apart: float | None = None
    between: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One instrumented forward and backward pass, in plain numbers.

    `ops` is ordered from the loss down: every op stands before the ops that it sends gradients to. `loss_source` says
    where the forward pass took its loss from. `entry` is looked for only where the loss or a gradient is not finite.
    `stopped` is the exception that ended the pass before there was a loss, which then counts as NaN. `samples` says
    where those of the batch come from.
    """

    loss: float
    loss_source: str = ""
    ops: tuple[Op, ...]
    parameters: tuple[ParameterMeasurement, ...]
    modules: tuple[ModuleMeasurement, ...]
    sources: tuple[SourceLine, ...]
    lenses: tuple[Lens, ...]
    cuts: tuple[Cut, ...]
    inputs: tuple[TensorStats, ...]
    outputs: tuple[TensorStats, ...]
    targets: tuple[TensorStats, ...]
    remarks: tuple[str, ...]
    seconds: Mapping[str, float]
    heads: tuple[Head, ...] = ()
    comparisons: tuple[TargetComparison, ...] = ()
    terms: tuple[Term, ...] = ()
    severed: tuple[Severed, ...] = ()
    swaps: tuple[Swap, ...] = ()
    origin: Origin | None = None
    entry: NonfiniteInput | None = None
    stopped: str = ""
    samples: Samples | None = None
    roundings: tuple[Rounding, ...] = ()

    @property
    def culprit(self) -> int | None:
        """The op nearest to the loss to which a finite gradient came and from which one went that is not."""
        for index, op in enumerate(self.ops):
            if math.isfinite(op.total) and not all(math.isfinite(edge.norm) for edge in op.edges):
                return index
        return None
