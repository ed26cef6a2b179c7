"""The part of a long table, or of many random examples, that CI runs: the rest is behind the marker for sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings


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


def drawn(few: int, many: int, *given_by: Any, **options: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Of a property of what hypothesis draws by these strategies, CI tries few examples, and the sweep many."""

    def parametrised(test: Callable[..., None]) -> Callable[..., None]:
        @pytest.mark.parametrize("examples", [few, pytest.param(many, marks=pytest.mark.sweep)])
        def draw(examples: int) -> None:
            settings(max_examples=examples, **options)(given(*given_by)(test))()

        return draw

    return parametrised
