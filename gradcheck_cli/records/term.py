"""The terms that a loss is a sum of."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """What is added up to the loss: the index of the op that made it, and how much of the loss it is."""

    op: int
    value: float
