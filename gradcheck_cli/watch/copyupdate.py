"""An update on a copy: of the parameters, and of the optimiser with its state. Nothing of the run's is written to."""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import OptState
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer, optimizer

from gradcheck_cli.records.retrying import UpdateChange, UpdateVariant
from gradcheck_cli.runtime.state import preserved
from gradcheck_cli.watch.attempts import Attempt
from gradcheck_cli.watch.sampling import moved, parts_of

_HOOKS = tuple(
    f"_optimizer_{what}_{when}_hooks" for what in ("step", "state_dict", "load_state_dict") for when in ("pre", "post")
)


@dataclass(frozen=True, slots=True)
class UpdateStart:
    """What an update starts from.

    Attributes:
        values: What each parameter of the optimiser holds, by its id.
        gradients: Likewise, without a loss scale, of those that get one.
        state: The optimiser's state of each, by its id.
    """

    values: Mapping[int, Tensor]
    gradients: Mapping[int, Tensor]
    state: Mapping[int, Any]


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """An update that was made: what each parameter then holds, by its id, and |dw|/|w|."""

    values: Mapping[int, Tensor]
    size: float | None


def why_not(attempt: Attempt | None) -> str:
    """Why an update cannot be made on a copy; empty where it can."""
    if attempt is None:
        return "the parameters are updated by hand"
    if attempt.closure:
        return "the backward pass runs inside the update"
    return _of_optimizer(attempt.optimizer) or _of_tensors(attempt)


def _of_optimizer(made: Optimizer) -> str:
    kind = type(made)
    if not kind.__module__.startswith("torch.optim."):
        return f"{kind.__name__} is none of torch's own optimisers: its step may do more than move parameters"
    if "step" in vars(made) and not hasattr(made.step, "_wrapped_by_lr_sched"):
        return f"the step of the {kind.__name__} was replaced"
    if made._optimizer_step_pre_hooks:
        return f"hooks of its own run before the step of the {kind.__name__}"
    return f"the {kind.__name__} is differentiable" if any(g.get("differentiable") for g in made.param_groups) else ""


def _of_tensors(attempt: Attempt) -> str:
    for parameter in attempt.parameters():
        if not _is_plain(parameter):
            return f"a parameter is a {type(parameter).__name__}"
        if parameter.grad is not None and not _is_plain(parameter.grad):
            return f"a gradient is a {type(parameter.grad).__name__} of {parameter.grad.layout}"
    return ""


def _is_plain(tensor: Tensor) -> bool:
    return type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided


def here(attempt: Attempt) -> UpdateStart:
    """Where the run stands, before an update."""
    held = list(attempt.parameters())
    gradients = {id(p): p.grad.detach() for p in held if p.grad is not None}
    factor = _unscaling(attempt)
    return UpdateStart(
        values={id(p): p.detach() for p in held},
        gradients=gradients if factor == 1.0 else {key: gradient * factor for key, gradient in gradients.items()},
        state={id(p): attempt.optimizer.state[p] for p in held if p in attempt.optimizer.state},
    )


def _unscaling(attempt: Attempt) -> float:
    """What the gradients are multiplied by before the step, as a GradScaler does it where that is still to be done."""
    scaler = attempt.scaler
    if scaler is None or scaler._per_optimizer_states[id(attempt.optimizer)]["stage"] is not OptState.READY:
        return 1.0
    return 1.0 / float(scaler.get_scale())


def made(attempt: Attempt, start: UpdateStart, tried: UpdateVariant) -> UpdateResult:
    """Make an update on copies, as the run would or changed.

    Args:
        attempt: The run's own; its optimiser says how.
        start: Where from.
        tried: What is done otherwise; of `WITHOUT_ROWS` the gradients tell.
    """
    copied, clones = copied_from(attempt.optimizer, start, anew=tried.change is UpdateChange.ANEW)
    _changed(copied, list(clones.values()), tried)
    again = Attempt(copied, attempt.number, attempt.own_step, None)
    parts = parts_of(again)
    before = [part.values.clone() for part in parts]
    step(copied)
    with torch.no_grad():
        size = moved(parts, before, again)[0]
    return UpdateResult({key: clone.detach() for key, clone in clones.items()}, size)


def step(copied: Optimizer) -> None:
    """Make an update by a copy of an optimiser, which nothing else hears of."""
    with preserved(nn.Identity()), _unheard_of():
        type(copied).step(copied)


def copied_from(original: Optimizer, start: UpdateStart, *, anew: bool = False) -> tuple[Optimizer, dict[int, Tensor]]:
    """A copy of an optimiser at a start, without its averages if `anew`; and of its parameters, by the ids of those."""
    held = {id(p): p for group in original.param_groups for p in group["params"]}
    clones = {key: _clone(held[key], start) for key in start.values}
    memo: dict[int, Any] = {**clones}
    kind = type(original)
    copied = kind.__new__(kind)
    memo[id(original)] = copied
    own = {name: value for name, value in vars(original).items() if name not in ("step", "state", *_HOOKS)}
    vars(copied).update(copy.deepcopy(own, dict(memo)))
    for name in _HOOKS:
        setattr(copied, name, OrderedDict())
    copied.state = defaultdict(dict)
    if not anew:
        for key, state in start.state.items():
            copied.state[clones[key]] = copy.deepcopy(state, dict(memo))
    return copied, clones


def _clone(own: Tensor, start: UpdateStart) -> Tensor:
    clone = start.values[id(own)].clone()
    clone = nn.Parameter(clone) if isinstance(own, nn.Parameter) else clone
    clone.__dict__.update(vars(own))
    clone.requires_grad_(own.requires_grad)
    if id(own) in start.gradients:
        clone.grad = start.gradients[id(own)].clone()
    return clone


def _changed(copied: Optimizer, parameters: Sequence[Tensor], tried: UpdateVariant) -> None:
    amount = tried.amount
    if tried.change is UpdateChange.CLIPPED and amount is not None:
        clip_grad_norm_(parameters, amount)
    for group in copied.param_groups:
        if tried.change in (UpdateChange.LOWER_RATE, UpdateChange.HIGHER_RATE):
            group["lr"] = group["lr"] * amount
        elif tried.change is UpdateChange.EPS:
            group["eps"] = amount


@contextmanager
def _unheard_of() -> Iterator[None]:
    """Inside, no hook that is called at the step of every optimiser is called."""
    kept = optimizer._global_optimizer_pre_hooks, optimizer._global_optimizer_post_hooks
    optimizer._global_optimizer_pre_hooks, optimizer._global_optimizer_post_hooks = OrderedDict(), OrderedDict()
    try:
        yield
    finally:
        optimizer._global_optimizer_pre_hooks, optimizer._global_optimizer_post_hooks = kept


@contextmanager
def holding(parameters: Iterable[Tensor], values: Mapping[int, Tensor]) -> Iterator[None]:
    """Inside, parameters hold other values; they get their own back, and no version moves."""
    own = [(p, p.data) for p in parameters if id(p) in values]
    try:
        for parameter, _ in own:
            parameter.data = values[id(parameter)]
        yield
    finally:
        for parameter, data in own:
            parameter.data = data
