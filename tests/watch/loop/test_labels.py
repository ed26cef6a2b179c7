"""Labels that losses over classes are given."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Data, Slot, TapeEntry
from gradcheck_cli.watch.loop.labels import Given, Labels

HEAD = nn.Linear(3, 4)


def given(labels: Labels, *batches: Tensor, ignore: int = -100) -> Labels:
    """Fed with a pass for each batch of labels."""
    for batch in batches:
        loss = F.cross_entropy(HEAD(torch.ones(len(batch), 3)), batch, ignore_index=ignore)
        called = TapeEntry()
        called.call, called.args, called.kwargs = F.cross_entropy, [None, Data(batch)], {"ignore_index": ignore}
        called.place = None
        called.leaves = list(HEAD.parameters())
        backward = Backward("backward", None, None)
        backward.roots, backward.entries = (Slot(loss),), [called]
        labels.began(backward)
    return labels


def test_labels_of_one_class_are_counted() -> None:
    assert given(Labels(), torch.ones(9, dtype=torch.long), torch.ones(8, dtype=torch.long)).given == Given(1, 17, 0)


def test_what_is_ignored_is_no_label() -> None:
    batch = torch.tensor([0, 0, 1, 1, 1])
    assert given(Labels(), batch, ignore=0).given == Given(1, 3, 2)
    assert given(Labels(), batch).given is None


def test_a_mixed_batch_ends_it() -> None:
    labels = given(Labels(), torch.ones(9, dtype=torch.long), torch.tensor([0, 1]), torch.ones(9, dtype=torch.long))
    assert (labels.given, labels.blocks) == (None, 0)


def test_classes_in_blocks_are_told_from_classes_by_turns() -> None:
    zeros, ones = torch.zeros(9, dtype=torch.long), torch.ones(9, dtype=torch.long)
    assert given(Labels(), *[zeros] * 4, *[ones] * 4).blocks == 8
    assert given(Labels(), *[zeros, ones] * 4).blocks == 0
