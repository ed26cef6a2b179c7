"""Thresholds that are moved: each is noticed by a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEN = (
    "slower_decades forgotten_decades insensitive_elasticity null_share collapsed_distinguishability "
    "saturated_share exploding_elasticity loss_over_zeroed dead_share raised_loss"
).split()
"""One of each of the rules whose verdicts are the gravest."""


def moved(*arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.mutation", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout or done.stderr


def test_ten_thresholds_are_noticed_and_one_that_no_test_looks_at_is_told() -> None:
    code, told = moved(*TEN, "square_overflows", "--tests", "tests/rules/boundaries")
    survived = [line.split()[0] for line in told.splitlines() if "SURVIVED" in line]
    assert (code, survived) == (1, ["square_overflows"] * 2), told
    assert told.endswith("1 of 11 thresholds, 2 of 22 moves survive\n")


@pytest.mark.sweep
@pytest.mark.parametrize("table", [[], ["--alarms"], ["--loop"]], ids=["step", "run", "loop"])
def test_every_threshold_is_noticed(table: list[str]) -> None:
    code, told = moved(*table)
    assert (code, [line for line in told.splitlines() if "SURVIVED" in line]) == (0, [])
