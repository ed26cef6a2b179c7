"""Groups of factors, and how many of a kind are told."""

from __future__ import annotations

import pytest

from gradcheck_cli.records.group import of_kind


@pytest.mark.parametrize(
    ("count", "kind", "words"),
    [
        (1, "weight", "1 weight"),
        (1200, "sigmoid slope", "1,200 sigmoid slopes"),
        (1, "exp", "exp"),
        (3, "exp", "3 exp"),
    ],
)
def test_so_many_of_a_kind(count: int, kind: str, words: str) -> None:
    assert of_kind(count, kind) == words
