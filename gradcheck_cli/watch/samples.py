"""Which rows of a batch carry what is wrong with a step: found by leaving rows out, half by half.

Rows are left out rather than taken alone, so that a normalisation over the batch stays meaningful. One bad row among
B is found in about 2 log2(B) passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradcheck_cli.records.apart import rows_among

MOST_SHARE = 0.25
"""Above this share of bad rows it is no matter of rows."""
MOST_PASSES = 48
"""Passes of a search at most: four bad rows of 64 take 2 log2(64) each."""


class TooMany(Exception):
    """Too many rows are bad, or too many passes would be needed."""


def rows_in(batch: Sequence[Any]) -> int | None:
    """How many samples a batch of outside tensors has: the length that most of them share; None where none do."""
    return rows_among(x.shape[0] for x in batch if isinstance(x, Tensor) and x.dim())


def holds_pairs(batch: Sequence[Any], rows: int) -> bool:
    """Whether a tensor may be of all pairs of rows, as a mask of equal labels is."""
    return any(isinstance(x, Tensor) and x.shape[:2] == (rows, rows) for x in batch)


def without(batch: Sequence[Any], rows: int, kept: Sequence[int], *, pairs: bool = False) -> tuple[Any, ...]:
    """The batch with these of its rows; with `pairs` a tensor of all pairs of rows is left those of such pairs.

    A tensor whose first dimension is the sum of an integer tensor of one length a row is cut in segments, as the
    concatenated labels of CTC and the nodes of graphs are.
    """
    chosen = torch.tensor(sorted(kept), dtype=torch.long)
    lengths = [x for x in batch if _is_lengths(x, rows)]
    return tuple(_cut(x, rows, chosen, lengths, pairs) for x in batch)


def _is_lengths(x: Any, rows: int) -> bool:
    whole = isinstance(x, Tensor) and x.shape == (rows,) and not x.is_floating_point() and not x.is_complex()
    return whole and x.dtype is not torch.bool and bool((x >= 0).all())


def _cut(x: Any, rows: int, chosen: Tensor, lengths: Sequence[Tensor], pairs: bool) -> Any:
    if not isinstance(x, Tensor) or not x.dim():
        return x
    if x.shape[0] == rows:
        left = x.detach().index_select(0, chosen.to(x.device))
        return left.index_select(1, chosen.to(x.device)) if pairs and x.shape[1:2] == (rows,) else left
    for each in lengths:
        if int(each.sum()) == x.shape[0]:
            parts = x.detach().split(each.tolist())
            return torch.cat([parts[row] for row in chosen.tolist()])
    return x


def bad_rows(rows: int, is_bad: Callable[[Sequence[int]], bool]) -> tuple[int, ...] | None:
    """The rows without which the step is well; None where it is no matter of a few rows.

    Args:
        rows: How many there are; the step with all of them is bad.
        is_bad: Whether the step with only these rows is bad. It may raise, which counts as not known: None.
    """
    search = _Search(rows, is_bad)
    try:
        search.find(range(rows))
        found = tuple(sorted(search.found))
        if not found or search.bad([row for row in range(rows) if row not in search.found]):
            return None
    except TooMany:
        return None
    return found


class _Search:
    def __init__(self, rows: int, is_bad: Callable[[Sequence[int]], bool]) -> None:
        self.found: set[int] = set()
        self._is_bad, self._most, self._good, self._passes = is_bad, max(1, int(MOST_SHARE * rows)), list[int](), 0

    def bad(self, kept: Sequence[int]) -> bool:
        self._passes += 1
        if self._passes > MOST_PASSES:
            raise TooMany
        return self._is_bad(kept)

    def find(self, suspects: Sequence[int]) -> None:
        """Split suspects, which together are bad, until each that is bad alone is found."""
        if len(suspects) == 1:
            self.found.add(suspects[0])
            if len(self.found) > self._most:
                raise TooMany
            return
        half = len(suspects) // 2
        for part in (suspects[:half], suspects[half:]):
            if self.bad([*self._good, *part]):
                self.find(part)
            else:
                self._good += part
