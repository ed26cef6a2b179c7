"""The part of a long table that CI runs: the rest of it is behind the marker for sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest


def sampled(rows: Sequence[Any], every: int, named: Callable[[Any], str] | None = None) -> list[Any]:
    """The rows as parameters, of which CI runs each `every`-th; a row of several values is a tuple."""
    return [
        pytest.param(
            *(row if isinstance(row, tuple) else (row,)),
            id=named(row) if named else None,
            marks=() if place % every == 0 else pytest.mark.sweep,
        )
        for place, row in enumerate(rows)
    ]
