"""The frozen records that flow between stages; each stage reads one and returns the next.

Norms are L2 norms. A *decade* is a factor of ten: `decades` is a log10. `None` in a number's place
means that it could not be measured, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import nn


class Severity(str, Enum):
    """How bad a finding is; `note` never fails a check."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Family(str, Enum):
    """The first digit of a rule's code, in words."""

    NONFINITE = "nonfinite"
    VANISHING = "vanishing"
    EXPLODING = "exploding"
    NO_GRADIENT = "no-gradient"
    PRECISION = "precision"
    DYNAMICS = "dynamics"


class Status(str, Enum):
    """What a check came to."""

    HEALTHY = "healthy"
    ILL = "ill"
    UNKNOWN = "unknown"
    FAILED = "failed"


class FailOn(str, Enum):
    """The lowest severity that makes the exit code 1."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


class Mode(str, Enum):
    """The mode a model is probed in; KEEP leaves every module as the user's code set it."""

    KEEP = "keep"
    TRAIN = "train"
    EVAL = "eval"


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceLine:
    """A line of the user's source: `file` as shown to them, `line` from 1."""

    file: str
    line: int
    code: str = ""


# --------------------------------------------------------------------------- spec -> target


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckSpec:
    """Everything that one check was asked to do; the command line's options by the same names."""

    model: str
    batch: str | None = None
    inputs: tuple[str, ...] = ()
    target: str | None = None
    target_column: str | None = None
    loss: str | None = None
    step: str | None = None
    weights: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    device: str = "cpu"
    dtype: str | None = None
    autocast: str | None = None
    seed: int = 0
    mode: Mode = Mode.KEEP
    batches: int = 1
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: FailOn = FailOn.WARNING
    trust_pickle: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """What one forward pass returned: a scalar loss with a graph behind it, and what it compared.

    `output` and `target` are None where only the user's step function knows them.

    `loss_source` says where the loss came from, such as "guessed: cross_entropy".
    """

    loss: torch.Tensor
    output: Any = None
    target: Any = None
    loss_source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A loaded model with its batches and the way from one to a loss.

    `forward(model, batch)` runs one forward pass, on this model or on a copy of it.
    `picked` says in one line each how model, batch and loss were found; `root` is the folder against
    which source files are shown. `loss_source` is empty where only the forward pass can tell.
    """

    name: str
    model: nn.Module
    batches: tuple[Any, ...]
    forward: Callable[[nn.Module, Any], Pass]
    loss_source: str
    picked: tuple[str, ...]
    root: str
    batch_size: int | None = None


# --------------------------------------------------------------------------- probe -> measurement


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


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterMeasurement:
    """One parameter and its gradient in this pass.

    `names` holds every name of a tied parameter; `module` is the index of the module that owns the
    first. `op` is the index of its leaf among the ops, or None where no path from the loss reaches it.
    `active_weight_norm` counts only the rows whose gradient is not exactly zero (embeddings).
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleMeasurement:
    """One module of the model.

    `path` is its dotted name ("" for the root). `calls` counts its forward passes, `grad_calls` those
    of them that ran with gradients enabled; `output_rms` is the RMS of its floating outputs;
    `output_ops` the indexes of the ops that made them.
    """

    path: str
    kind: str
    calls: int
    grad_calls: int
    training: bool
    output_rms: float | None
    output_ops: tuple[int, ...]
    output_numel: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Lens:
    """What the saved tensors of one op say, read just before its backward ran.

    Attributes:
        op: Index of the op.
        kind: "activation", "softmax", "normalization" or "loss".
        slope: Mean absolute slope of an activation; None for the others.
        saturated: Share of elements whose slope is below a hundredth of the function's largest.
        dead: Share of units (features or channels) whose slope is exactly 0 over the whole batch.
        units: How many units there are.
        samples: How many elements each unit was seen on.
        entropy: Mean entropy of a softmax over ln(its length), 0 (one-hot) to 1 (uniform).
        length: The length a softmax or a normalisation runs over.
        output_rms: RMS of what a regression loss compares, and `target_rms` of what it compares it with.
        per_sample: Mean loss of one sample of a cross entropy, over `length` classes.
    """

    op: int
    kind: str
    slope: float | None = None
    saturated: float | None = None
    dead: float | None = None
    units: int = 0
    samples: int = 0
    entropy: float | None = None
    length: int | None = None
    output_rms: float | None = None
    target_rms: float | None = None
    per_sample: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """A place where the forward pass left the graph although its input required a gradient.

    `parameters` are the indexes of those that lie behind it and that no other path reaches; `used` says
    whether what came out went on into another layer, rather than into a metric or a target.
    """

    op: str
    module: int
    source: SourceLine | None
    parameters: tuple[int, ...]
    used: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The first op of the forward pass whose inputs were finite and whose output was not.

    `smallest` and `largest` are the extremes of its first floating input, `produced` is "nan" or "inf".
    """

    op: str
    module: int
    source: SourceLine | None
    produced: str
    smallest: float | None
    largest: float | None
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorStats:
    """A tensor of the batch, the output or the target, in numbers; `extreme` is max |x|."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    numel: int
    rms: float | None
    mean: float | None
    std: float | None
    extreme: float | None
    nan_count: int = 0
    inf_count: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One instrumented forward and backward pass, in plain numbers.

    `ops` is ordered from the loss down: every op stands before the ops that it sends gradients to.
    """

    loss: float
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
    origin: Origin | None = None


# --------------------------------------------------------------------------- ledger


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The exact account of one parameter's gradient: the factors along its strongest path.

    `leaf` is its op; `Ledger.parent` leads from there to the loss. `by_kind` maps a kind of factor (activation,
    weight, normalization, attention, loss, reduction, merge, other) to decades; the values sum to
    `decades`, the log10 of the gradient's norm.
    """

    parameter: int
    leaf: int
    decades: float
    by_kind: Mapping[str, float]
    count_by_kind: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """A parameter that is used at many steps, and the gradient that each step receives.

    `norms` holds the signal at each use in the order of the forward pass. `carry` holds, for each
    step but the last, what arrives from the following step over what that step holds.
    `horizon` counts the steps back from the largest signal that carry at least 1 % of it;
    `attenuation` is in decades per step, negative where the signal decays.
    """

    parameter: int
    steps: int
    norms: tuple[float, ...]
    carry: tuple[float, ...]
    horizon: int
    attenuation: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """The accounts of all parameters with a finite non-zero gradient, and the series through time.

    `parent[i]` is the op that sent op i its largest contribution, -1 at the loss and where nothing came.
    """

    accounts: tuple[Account, ...]
    series: tuple[Series, ...]
    parent: tuple[int, ...]


# --------------------------------------------------------------------------- findings -> report


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What came of trying a remedy on a copy."""

    outcome: str = "not-tried"
    before: float | None = None
    after: float | None = None
    unit: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """A way to cure a finding; `detail` is one sentence, `code` a line to paste."""

    id: str
    title: str
    detail: str
    code: str = ""
    trial: Trial = Trial()


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One illness (or note) over all the layers that it explains.

    `message` is the first line the user reads, `why` the evidence in a sentence.
    """

    code: str
    rule: str
    family: Family
    severity: Severity
    layers: tuple[str, ...]
    cause: str
    message: str
    why: str = ""
    op: str | None = None
    source: SourceLine | None = None
    evidence: Mapping[str, float | int | str]
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A module that directly owns parameters, judged by its parameters together.

    Attributes:
        decades: log10 of the gradient norm, that is decades from the loss; None without a gradient.
        relative_gradient: u = |g| / |w|.
        elasticity: S = |g| |w| / |loss|.
        activation_rms: RMS of what it puts out.
        stream: Norm of dloss/d(its output).
        by_kind: The decades by kind of factor, for its strongest parameter.
        status: "ok", "non-finite", "frozen", "unused", "none" (no gradient) or the code of the worst finding.
    """

    path: str
    kind: str
    parameters: int
    grad_norm: float | None
    grad_rms: float | None
    grad_max: float | None
    zero_share: float | None
    nan_count: int
    inf_count: int
    weight_norm: float
    relative_gradient: float | None
    elasticity: float | None
    decades: float | None
    activation_rms: float | None
    stream: float | None
    by_kind: Mapping[str, float]
    status: str
    source: SourceLine | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The result of one check: everything that a reporter shows."""

    name: str
    status: Status
    exit_code: int
    loss: float | None = None
    loss_source: str = ""
    target: Mapping[str, Any]
    versions: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    layers: tuple[Layer, ...] = ()
    series: tuple[Series, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float]
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the check was made and found nothing at or above its `fail_on`."""
        return self.exit_code == 0

    def __str__(self) -> str:
        from gradcheck_cli.reports import Style, render

        return render(self, "table", Style(width=100))
