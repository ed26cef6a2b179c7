"""The labels that losses over classes are given, for as long as all of them are one class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Data, Place, TapeEntry
from gradcheck_cli.watch.loop.holdings import nodes_below

_FUNCTIONS = (F.cross_entropy, F.nll_loss)
_MODULES = (nn.CrossEntropyLoss, nn.NLLLoss)
_IGNORED = -100
_FEW = 8
"""Labels that are of one class by chance."""
_TURNS = 4
"""Batches of a block at least, on average."""


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
    """Fed with each backward pass before it runs, until a batch holds more than one class.

    Labels that the code writes, as those of a contrastive loss, are of classes that no bias stands for: they do not
    count.

    Attributes:
        given: What was given so far, all of one class; None where there was nothing, or more than one.
        place: The user's line that calls the loss.
    """

    def __init__(self) -> None:
        self.given: Given | None = None
        self.place: Place | None = None
        self._over = self._is_known = False
        self._batches = self._changes = 0
        self._last: int | None = None

    @property
    def blocks(self) -> int:
        """Batches of one class each, where classes follow each other in blocks; 0 where they do not.

        A discriminator is given its two classes by turns.
        """
        return self._batches if 0 < _TURNS * self._changes <= self._batches else 0

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run: what leads to its loss is still there."""
        if self._over:
            return
        with untouched():
            for entry, labels, ignore in _over_classes(backward):
                if not self._is_known:
                    self._over, self._is_known = not _has_bias(backward), True  # a walk of the graph, once
                if not self._over:
                    self._take(labels, ignore, entry.place)

    def _take(self, labels: Tensor, ignore: int, place: Place | None) -> None:
        kept = labels[labels != ignore]
        was = self.given
        ignored = labels.numel() - kept.numel() + (was.ignored if was else 0)
        if not kept.numel():
            return
        label, most = int(kept.min()), int(kept.max())
        if label != most:
            self._over, self.given, self._batches = True, None, 0
            return
        self.place = place
        self._batches += kept.numel() >= _FEW
        self._changes += self._last not in (None, label)
        self._last = label
        if self._changes:
            self.given = None
            return
        self.given = Given(label, (was.seen if was else 0) + min(labels.shape[0], kept.numel()), ignored)


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


def _has_bias(backward: Backward) -> bool:
    """Whether a bias that is trained has an element for each class that a softmax of the loss is over."""
    nodes = (node for node in nodes_below(slot() for slot in backward.roots) if node.name() == "LogSoftmaxBackward0")
    shapes = [tuple(each.shape) for node in nodes for each in node._input_metadata]  # what is saved is left packed
    classes = {size for shape in shapes for size in shape[1:]}
    return any(p.dim() == 1 and p.shape[0] in classes for p in backward.parameters)
