"""The relative gradient of every layer, on sampled steps."""

from __future__ import annotations

import math

import torch


from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.diagnosing import Seen

_MOST = 400
"""Samples of a run that are kept in step with each other: after as many, every second step is left out."""


class Layers:
    """Says when a sample is due, and takes it.

    Steps 1, 2, 3, ... are taken at first; each time that `_MOST` have been, the distance doubles, so that a run of any
    length costs next to nothing and leaves at most a few hundred points.
    """

    def __init__(self) -> None:
        self._every, self._taken = 1, 0

    def due(self, step: int, seen: Seen) -> dict[str, float]:
        """log10 is left to the reader: |g|/|w| by layer at this step, nothing where it is not sampled."""
        if step % self._every:
            return {}
        self._taken += 1
        if self._taken % _MOST == 0:
            self._every *= 2
        return relative_gradients(seen)


def relative_gradients(seen: Seen) -> dict[str, float]:
    """|g| / |w| of each layer, a module that owns parameters, by its path."""
    names = seen.backward.names()
    grads: dict[str, list[float]] = {}
    weights: dict[str, list[torch.Tensor]] = {}
    for parameter, value in zip(seen.norms.parameters, seen.norms.values, strict=True):
        name = names.get(id(parameter))
        if name is not None:
            layer = name.rpartition(".")[0]
            grads.setdefault(layer, []).append(value / (seen.scale or 1.0))
            weights.setdefault(layer, []).append(parameter)
    with untouched():
        flat = [w for held in weights.values() for w in held]
        if not flat:
            return {}
        sizes = iter(torch.stack([n.float() for n in torch._foreach_norm(flat)]).tolist())
    norms = {layer: math.hypot(*(next(sizes) for _ in held)) for layer, held in weights.items()}
    return {layer: math.hypot(*grads[layer]) / norms[layer] for layer in grads if norms[layer]}
