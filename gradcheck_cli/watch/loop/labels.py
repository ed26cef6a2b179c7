"""The labels that losses over classes are given: all of one class, or one class after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Data, TapeEntry
from gradcheck_cli.watch.loop.classorder import ClassOrder
from gradcheck_cli.watch.loop.holdings import nodes_below
from gradcheck_cli.watch.loop.losstargets import targets_of

_FUNCTIONS = (F.cross_entropy, F.nll_loss)
_MODULES = (nn.CrossEntropyLoss, nn.NLLLoss)
_OF_TWO = (F.binary_cross_entropy, F.binary_cross_entropy_with_logits, nn.BCELoss, nn.BCEWithLogitsLoss)
_IGNORED = -100
"""What torch's losses leave out by default."""


class Given(NamedTuple):
    """Labels of one class.

    Attributes:
        label: The class.
        seen: How many there were so far, along the first dimension: one pixel of an image is as good as another.
        ignored: Those that `ignore_index` leaves out of all.
    """

    label: int
    seen: int
    ignored: int


class Labels:
    """Fed with each backward pass before it runs.

    Labels that the code writes, as those of a contrastive loss, are of classes that no bias stands for: they do not
    count.

    Attributes:
        given: What was given so far, all of one class; None where there was nothing, or more than one.
        order: The order in which classes come.
    """

    def __init__(self) -> None:
        self.given: Given | None = None
        self.order = ClassOrder()
        self._over = self._is_known = False

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run: what leads to its loss is still there."""
        if self._over and self.order.over:
            return
        loss = backward.values[0] if len(backward.values) == 1 and backward.values[0].numel() == 1 else None
        with untouched():
            for entry, labels, ignore in _over_classes(backward):
                if not self._is_known:
                    self._over, self._is_known = not _has_bias(backward), True  # a walk of the graph, once
                    self.order.over = self._over
                kept = labels[labels != ignore].clamp(min=0)  # a negative one raises in the loss itself
                if kept.numel():
                    counts = _counts(kept)
                    self._take(list(counts), kept, labels)
                    self.order.see(counts, loss, entry.place)
            for entry, labels in _of_two(backward) if not self.order.over else ():
                self.order.see(_counts(labels), loss, entry.place)

    def _take(self, held: Sequence[int], kept: Tensor, labels: Tensor) -> None:
        was = self.given
        if self._over or len(held) > 1 or (was is not None and was.label != held[0]):
            self._over, self.given = True, None
            return
        seen, ignored = (was.seen, was.ignored) if was else (0, 0)
        seen += min(labels.shape[0], kept.numel())
        self.given = Given(held[0], seen, ignored + labels.numel() - kept.numel())


def _over_classes(backward: Backward) -> Iterator[tuple[TapeEntry, Tensor, int]]:
    """The losses over classes: the call, its labels, and the label that is left out."""
    for entry in backward.entries:
        module = isinstance(entry.call, _MODULES)
        if not module and entry.call not in _FUNCTIONS:
            continue
        args = dict(zip(("input", "target", "weight", "size_average", "ignore_index"), entry.args, strict=False))
        args |= entry.kwargs
        ignore = entry.call.ignore_index if module else args.get("ignore_index", _IGNORED)
        labels = args.get("target")
        if isinstance(labels, Data) and labels.tensor.dim() and not labels.tensor.is_floating_point():
            yield entry, labels.tensor, ignore


def _of_two(backward: Backward) -> Iterator[tuple[TapeEntry, Tensor]]:
    """The losses of yes and no, one answer a row: the call, and its targets, where each is 0 or 1."""
    for entry in backward.entries:
        if entry.call in _OF_TWO or isinstance(entry.call, _OF_TWO[2:]):
            for target in targets_of(entry):
                values = target.tensor.detach().flatten()
                if len(values) == len(target.tensor) and bool(((values == 0) | (values == 1)).all()):
                    yield entry, values.long()


def _counts(labels: Tensor) -> dict[int, int]:
    """How many labels there are of each class."""
    counts = torch.bincount(labels.flatten()).cpu()
    held = counts.nonzero().flatten()
    return dict(zip(held.tolist(), counts[held].tolist(), strict=True))


def _has_bias(backward: Backward) -> bool:
    """Whether a bias that is trained has an element for each class that a softmax of the loss is over."""
    nodes = (node for node in nodes_below(slot() for slot in backward.roots) if node.name() == "LogSoftmaxBackward0")
    shapes = [tuple(each.shape) for node in nodes for each in node._input_metadata]  # what is saved is left packed
    classes = {size for shape in shapes for size in shape[1:]}
    return any(p.dim() == 1 and p.shape[0] in classes for p in backward.parameters)
