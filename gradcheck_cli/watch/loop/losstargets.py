"""What the loss of a backward pass is made of: targets that it ignores, and nothing but the model's own outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.diagnosing import reflected
from gradcheck_cli.watch.entries import Data, TapeEntry, data_of, parts_of

_LOSSES = (
    F.cross_entropy,
    F.nll_loss,
    F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
    F.mse_loss,
    F.l1_loss,
    F.smooth_l1_loss,
    F.huber_loss,
    F.kl_div,
)
"""Losses of an output and a target."""


class LossProbe(Protocol):
    """Who takes backward passes again."""

    def ignores(self, backward: Backward, targets: list[Data]) -> bool:
        """Whether the loss is the same to the last bit with other targets."""

    def heeds(self, backward: Backward, targets: list[Data]) -> bool:
        """Whether it is another one with other targets."""

    def needs_nothing(self, backward: Backward, parameter: Tensor) -> bool:
        """Whether the loss is above 0, and exactly 0 where this parameter is 0."""


def ignored_targets(backward: Backward, asked: LossProbe) -> TapeEntry | None:
    """The first loss whose target changes nothing, where that is so of all targets together."""
    losses = _given(backward)
    if not losses or not asked.ignores(backward, [target for _, target in losses]):
        return None
    return losses[0][0]


def heeds_targets(backward: Backward, asked: LossProbe) -> bool:
    """Whether other targets change the loss."""
    losses = _given(backward)
    return bool(losses) and asked.heeds(backward, [target for _, target in losses])


def _given(backward: Backward) -> list[tuple[TapeEntry, Data]]:
    """The losses with the targets that can be others."""
    losses = [(entry, target) for entry in backward.entries for target in targets_of(entry)]
    return [(e, t) for e, t in losses if not torch.equal(reflected(t.tensor), t.tensor)]


def targets_of(entry: TapeEntry) -> Iterator[Data]:
    """The target of a loss, where it came from outside; nothing of any other call."""
    if entry.call in _LOSSES or isinstance(entry.call, _Loss):
        given = [*entry.args[1:2], *([entry.kwargs["target"]] if "target" in entry.kwargs else [])]
        yield from (each for each in given if isinstance(each, Data) and each.tensor.numel() > 1)


def matches_itself(backward: Backward, asked: LossProbe) -> TapeEntry | None:
    """The last call of a loss that holds outputs of one model against each other, and is 0 where all are alike.

    Nothing else enters it: no data, and no output that is cut from the graph.
    """
    models = [e for e in backward.entries if isinstance(e.call, nn.Module) and e.parameters]
    times = Counter(id(e.call) for e in models)
    beside = [e for e in backward.entries if e not in models]
    if len(times) != 1 or len(models) < 2 or not beside or any(map(_takes_more, beside)):
        return None
    owners = [m for m in models[0].call.modules() if any(p.dim() > 1 for p in m.parameters(recurse=False))]
    weights = [p for p in owners[-1].parameters(recurse=False) if p.dim() > 1] if owners else []
    return beside[0] if len(weights) == 1 and asked.needs_nothing(backward, weights[0]) else None


def _takes_more(entry: TapeEntry) -> bool:
    """Whether a call is given data, or what is not part of a graph."""
    cut = any(not slot.learns for slot in entry.needs)
    return cut or any(True for _ in data_of(entry)) or any(isinstance(p, nn.Parameter) for p in parts_of(entry.args))
