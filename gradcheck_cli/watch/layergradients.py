"""The relative gradient of every layer, on sampled steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain

import torch

from gradcheck_cli.runtime.tensors import local, untouched
from gradcheck_cli.watch.diagnosing import Seen
from gradcheck_cli.watch.entries import Place
from gradcheck_cli.watch.naming import Roots
from gradcheck_cli.watch.replay import model_of

_MOST = 100
"""Samples of a run that are kept in step with each other: after as many, every second step is left out."""


class Layers:
    """Says when a sample is due, and takes it.

    Steps 1, 2, 3, ... are taken at first; each time that `_MOST` have been, the distance doubles, so that a run of any
    length costs next to nothing and leaves at most a few hundred points an octave.
    """

    def __init__(self, naming: Roots) -> None:
        self._naming = naming
        self._every, self._taken = 1, 0
        self._names: dict[int, str] = {}
        self._looked: set[tuple[Place | None, tuple[int, ...]]] = set()

    def due(self, step: int, seen: Seen) -> dict[str, float]:
        """|g|/|w| by layer at this step; nothing where it is not sampled."""
        if step % self._every or seen.backward.why:
            return {}
        self._taken += 1
        if self._taken % _MOST == 0:
            self._every *= 2
        if (key := (seen.backward.place, seen.norms.ids)) not in self._looked:
            self._looked.add(key)
            named = model_of([seen.backward], self._naming).module.named_parameters()
            self._names |= {id(parameter): name for name, parameter in named}
        return relative_gradients(seen, self._names)


def relative_gradients(seen: Seen, names: Mapping[int, str]) -> dict[str, float]:
    """|g| / |w| of each layer, a module that owns parameters, by its path.

    Args:
        seen: A backward pass.
        names: The paths of parameters, by their ids.
    """
    grads: dict[str, list[float]] = {}
    weights: dict[str, list[torch.Tensor]] = {}
    for parameter, value in zip(seen.norms.parameters, seen.norms.values, strict=True):
        if (name := names.get(id(parameter))) is not None:
            layer = name.rpartition(".")[0]
            grads.setdefault(layer, []).append(value / (seen.scale or 1.0))
            weights.setdefault(layer, []).append(local(parameter.detach()))
    if not weights:
        return {}
    with untouched():
        sizes = iter(torch.stack([n.float() for n in torch._foreach_norm([*chain(*weights.values())])]).tolist())
    norms = {layer: math.hypot(*(next(sizes) for _ in held)) for layer, held in weights.items()}
    return {layer: math.hypot(*grads[layer]) / norms[layer] for layer in grads if norms[layer]}
