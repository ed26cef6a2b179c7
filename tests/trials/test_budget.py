"""How much may be tried: told in passes."""

from __future__ import annotations

import pytest

from gradcheck_cli.trials.budget import Budget


@pytest.mark.parametrize(
    ("seconds", "of_a_pass", "passes", "has"),
    [
        (600.0, 10.0, 50, True),
        (600.0, 10.0, 61, False),
        (600.0, 1e4, 1, False),
        (600.0, 0.0, 10**9, True),
        (0.0, 0.0, 0, False),
        (0.0, 1.0, 1, False),
    ],
)
def test_passes_fit_by_the_time_that_one_took(seconds: float, of_a_pass: float, passes: int, has: bool) -> None:
    budget = Budget(seconds, of_a_pass)
    assert budget.has(passes) is has
    assert budget.seconds == seconds
