"""The gain of a weight that is applied to its own output, step after step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gradcheck_cli.records.measurement import Op
from gradcheck_cli.records.ops import TRANSPOSES
from gradcheck_cli.records.series import STEPS
from gradcheck_cli.runtime.norms import dense

_SQUARINGS = 12


def spectral_radius(weight: Tensor) -> float | None:
    """The largest absolute eigenvalue of a square matrix, by Gelfand's formula; None if it is not finite.

    rho(W) = lim |W^k|^(1/k), here with k = 4096 by repeated squaring: an error of at most n^(1/8192).
    """
    power, log = dense(weight.detach()).cpu().to(torch.complex128 if weight.is_complex() else torch.float64), 0.0
    for _ in range(_SQUARINGS):
        length = power.norm().item()
        if length == 0 or not math.isfinite(length):
            return 0.0 if length == 0 else None
        power, log = power / length, 2 * (log + math.log(length))
        power = power @ power
    length = power.norm().item()
    return math.exp((log + math.log(length)) / 2**_SQUARINGS) if length else 0.0


def recurrent(leaves: Mapping[int, Tensor], ops: Sequence[Op]) -> Mapping[int, float | None]:
    """The spectral radius of every square weight that is used at many steps, by the id of the parameter."""
    square = {index: leaf for index, leaf in leaves.items() if leaf.dim() == 2 and leaf.shape[0] == leaf.shape[1]}
    leads, uses = {index: index for index in square}, dict.fromkeys(square, 0)
    for index in range(len(ops) - 1, -1, -1) if square else ():  # children stand after their parents
        for edge in ops[index].edges:
            if edge.to not in leads:
                continue
            if ops[index].stem in TRANSPOSES:
                leads[index] = leads[edge.to]
            else:
                uses[leads[edge.to]] += 1
    return {id(leaf): spectral_radius(leaf) for index, leaf in square.items() if uses[index] >= STEPS}
