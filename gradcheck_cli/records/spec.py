"""What a check was asked to do, and the target that it became."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcheck_cli.records.choices import FailOn, Mode, Optimizer
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.records.thresholds import Thresholds

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleWaiver:
    """Findings that are left out, with a reason.

    `rule` is a code prefix or a rule name, `layers` are globs of layer paths; none means every layer.
    """

    rule: str
    layers: tuple[str, ...] = ()
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckSpec:
    """Everything that one check was asked to do; the command line's options by the same names.

    `try_budget` is in forward and backward passes; with 0 no remedy is tried.
    `drift` is the option of that name together with what the baseline says of this check.
    """

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
    lr: float | None = None
    optimizer: Optimizer = Optimizer.SGD
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: FailOn = FailOn.WARNING
    waivers: tuple[RuleWaiver, ...] = ()
    thresholds: Thresholds = Thresholds()  # noqa: RUF009 - frozen
    trust_pickle: bool = False
    try_budget: int = 0
    drift: Drift | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Where the samples of a batch stand in what they were drawn from, in its order.

    Attributes:
        kind: What one is called: "item" of a data set, "line" of a file.
        holder: What holds them, in words.
        first: The number of the first.
        columns: The names of the inputs' columns; () where they have none.
    """

    kind: str
    holder: str
    first: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LossScale:
    """What a GradScaler multiplies the loss by, and what it multiplies that by where a gradient overflows."""

    factor: float
    backoff: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """What one forward pass returned: a scalar loss with a graph behind it, and what it compared.

    `output` and `target` are None where only the user's step function knows them.

    `loss_source` says where the loss came from, such as "guessed: cross_entropy". `scale` is that of a GradScaler
    which the loss was multiplied by; `loss` is without it.
    """

    loss: torch.Tensor
    output: Any = None
    target: Any = None
    loss_source: str = ""
    scale: LossScale | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One forward and backward pass that can be taken again: on what, with which batch, seed and autocast dtype."""

    target: Target
    batch: Any
    seed: int = 0
    autocast: torch.dtype | None = None


class Derived(NamedTuple):
    """A parameter that was made of the values of others when the model was built, all by their dotted names.

    `file` and `line` say where.
    """

    name: str
    sources: tuple[str, ...]
    file: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A loaded model with its batches and the way from one to a loss.

    `forward(model, batch)` runs one forward pass, on this model or on a copy of it.
    `picked` says in one line each how model, batch and loss were found; `root` is the folder against
    which source files are shown. `loss_source` is empty where only the forward pass can tell. `built` holds
    the file and line that built a module, by its dotted name, as far as it was seen, and `derived` the parameters that
    were made of others. `samples` says of each batch where its samples come from, as far as that is known.
    """

    name: str
    model: nn.Module
    batches: tuple[Any, ...]
    forward: Callable[[nn.Module, Any], Pass]
    loss_source: str
    picked: tuple[str, ...]
    root: str
    batch_size: int | None = None
    built: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    derived: tuple[Derived, ...] = ()
    samples: tuple[Samples, ...] = ()
