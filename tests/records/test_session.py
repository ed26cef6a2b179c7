"""What a sample says of its loss."""

from __future__ import annotations

import math

import pytest

from gradcheck_cli.records.session import Sample


def test_a_loss_is_held_against_one_answer_for_the_same_batch() -> None:
    assert Sample(step=1, loss=0.5, chance=2.0).against_chance == 0.25


@pytest.mark.parametrize(
    ("loss", "chance"),
    [(None, 1.0), (1.0, None), (-1.0, 1.0), (1.0, 0.0), (1.0, -1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)],
)
def test_the_ratio_needs_both_above_0_and_finite(loss: float | None, chance: float | None) -> None:
    assert Sample(step=1, loss=loss, chance=chance).against_chance is None
