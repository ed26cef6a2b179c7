"""What a low precision loses of every gradient, against a replay in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gradcheck_cli.records.measurement import Rounding
from gradcheck_cli.records.spec import Target
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.runtime.checkpointing import eagerly
from gradcheck_cli.runtime.modelcopy import independent_copy
from gradcheck_cli.runtime.norms import settle
from gradcheck_cli.runtime.passes import LOW, low_precision, run_backward, scaled
from gradcheck_cli.runtime.state import seed_everything


def roundings(
    target: Target,
    batch: Any,
    seed: int,
    autocast: torch.dtype | None,
    rewind: Callable[[], None],
    scale: float = 1.0,
) -> tuple[Rounding, ...]:
    """For each parameter, the share of its gradient that is lost in low precision; () where all is float32.

    An element is lost where it is exactly 0 although the same pass in float32 gives another value, and subnormal
    where it is below the dtype's smallest normal number and so has fewer digits. Both passes run on copies, and
    `rewind` puts the batch back between them. Both begin at `scale` times the loss, as under a GradScaler.

    Raises:
        NotIndependent: A copy of the model shares something with it.
        Exception: Whatever the user's code raises in a float32 copy of the model.
    """
    dtype = low_precision(target.model, autocast)
    if dtype is None:
        return ()
    low = _gradients(target, independent_copy(target.model), batch, seed, autocast, scale)
    rewind()
    full = _gradients(target, independent_copy(target.model).float(), tree_map(_widened, batch), seed, None, scale)
    names = [name for name in low if name in full]
    numbers = iter(settle([s for name in names for s in _compared(low[name], full[name], torch.finfo(dtype))]))
    return tuple(
        Rounding(
            parameter=name,
            dtype=str(dtype).removeprefix("torch."),
            lost=next(numbers),
            subnormal=next(numbers),
            near_limit=next(numbers),
            largest=next(numbers),
            largest_float32=next(numbers),
            limit=torch.finfo(dtype).max,
        )
        for name in names
    )


def _gradients(
    target: Target, model: nn.Module, batch: Any, seed: int, autocast: torch.dtype | None, scale: float
) -> Mapping[str, Tensor]:
    for parameter in model.parameters():
        parameter.grad = None
    seed_everything(seed)
    with ExitStack() as stack:
        if autocast is not None:
            stack.enter_context(torch.autocast(next(model.parameters()).device.type, dtype=autocast))
        result = eagerly(lambda: target.forward(model, batch))
    run_backward(scaled(result.loss, scale), batch)
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None and not p.grad.is_sparse}


def _widened(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype in LOW else value


def _compared(low: Tensor, full: Tensor, limits: torch.finfo) -> list[Tensor]:
    size = low.detach().float().abs()
    there = full.detach() != 0
    lost = ((size == 0) & there).float().mean()
    subnormal = ((size < limits.tiny) & (size > 0) & there).float().mean()
    near_limit = (size > limits.max / Thresholds().headroom).float().mean()
    return [lost, subnormal, near_limit, size.max(), full.detach().abs().max()]
