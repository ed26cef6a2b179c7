"""Numbers about the tensors of a batch, an output or a target."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradcheck_cli.records.measurement import TensorStats
from gradcheck_cli.runtime import tensors
from gradcheck_cli.runtime.norms import norm, settle
from gradcheck_cli.runtime.trees import named_tensors


def stats_of(tree: Any, name: str) -> tuple[TensorStats, ...]:
    """The figures of every tensor in `tree`; integers have no RMS, since they are names, not amounts.

    RMS and spread are those of the finite elements: a gap is no amount either.
    """
    return tuple(_stats(path, tensor) for path, tensor in named_tensors(tree, name))


def _stats(name: str, tensor: Tensor) -> TensorStats:
    values = tensors.values(tensor)
    if values is None:
        values = torch.empty(0, device="cpu", dtype=torch.bool)
    measured = values.is_floating_point() or values.is_complex()
    nan = inf = 0
    first: tuple[int, ...] = ()
    rms = std = None
    if values.numel() and measured:
        (length,) = settle([norm(values)])
        if not (length < float("inf")):
            nan, inf = int(values.isnan().sum()), int(values.isinf().sum())
            wrong = values.isnan() if nan else values.isinf()
            first = tuple(wrong.nonzero()[0].tolist()) if wrong.any() else ()  # a norm may overflow by itself
        known = values[values.isfinite()] if nan or inf else values
        if nan or inf:
            (length,) = settle([norm(known)])
        if known.numel():
            rms = length / known.numel() ** 0.5
        if known.numel() and known.is_floating_point():
            std = float(known.double().std(correction=0))
    return TensorStats(
        name=name,
        shape=tensors.shape(tensor),
        dtype=str(tensor.dtype).removeprefix("torch."),
        numel=tensors.numel(tensor),
        rms=rms,
        std=std,
        nan_count=nan,
        inf_count=inf,
        first_bad=first,
    )
