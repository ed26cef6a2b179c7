"""`python -m tests.mutation [NAME...]`: moves every threshold by a factor of 3, and looks which tests notice.

Those of a step (records/thresholds.py); or with `--alarms` those of a run (records/alarmlimits.py), or with `--loop`
the constants by which the faults of a loop are known (watch/loop).

A number that can be moved without any test failing decides nothing that is known. A ratio is multiplied and divided by
3, a share's odds are, and decades move by log10(3), half a decade: the factor of what is counted in them. Exits with 1
where a number survives.

The tests run once to see which of them read which number, and then, for every move, those that do.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gradcheck_cli.records.alarmlimits import Alarming
from gradcheck_cli.records.thresholds import BOUNDS, Thresholds

FACTOR = 3.0
ROOT = Path(__file__).parents[2]
TESTS = (
    "tests/rules",
    *(f"tests/probe/test_{name}.py" for name in ("lenses", "parameters", "targetcomparisons")),
    *(f"tests/trials/test_{name}.py" for name in ("opinions", "outcome", "participation")),
    "tests/timeline/test_opinions.py",
)
"""Where a verdict is made: what is read, judged, and decided by trials and by a run."""
OF_A_RUN = "alarms boundaries displacement jumps lossevent lossmonitor lossscale phases stalls statistics".split()
TESTS_OF_A_RUN = (
    *(f"tests/watch/test_{name}.py" for name in OF_A_RUN),
    "tests/watch/loop/test_batchhistory.py",
    "tests/timeline",
)
"""Where alarms are raised and judged."""
TESTS_OF_A_LOOP = ("tests/watch/loop",)
_USUAL = "not sweep and not slow and not unseen and not cuda"


CONSTANTS = {
    "batchhistory": "_FEW _LONGER _COME_BACK _RECENT",
    "holdings": "_FEWEST _EDGE _UNIT",
    "loopfaults": "STILL REST NOTHING",
    "classorder": "_FEW _TURNS _BATCHES",
    "signs": "ROW LONG_ROW BATCHES MANY",
}
"""By module of watch/loop, the constants that decide."""


class Moved:
    """In the place of a threshold: notes who reads it, and reads as moved while `to` is set and it has its default."""

    def __init__(self, table: type, name: str) -> None:
        self.name, self.slot, self.default = name, table.__dict__[name], getattr(table(), name)
        self.to: float | None = None
        self.readers: dict[str, None] = {}
        self.reader = ""
        setattr(table, name, self)

    def __get__(self, table: object | None, owner: type | None = None) -> Any:
        if table is None:
            return self
        if self.reader:
            self.readers[self.reader] = None
        value = self.slot.__get__(table, owner)
        return self.to if self.to is not None and value == self.default else value

    def __set__(self, table: object, value: float) -> None:
        self.slot.__set__(table, value)


class Constant:
    """A constant of a module, and of those that import it: any test may read it."""

    def __init__(self, module: str, name: str) -> None:
        self.name, self._module, self._constant = f"{module}.{name}", module, name
        self.default: float = getattr(importlib.import_module(f"gradcheck_cli.watch.loop.{module}"), name)
        self.readers: dict[str, None] = {}
        self.reader = ""

    @property
    def to(self) -> float | None:
        """What it is moved to."""
        return None

    @to.setter
    def to(self, value: float | None) -> None:
        home, private = f"gradcheck_cli.watch.loop.{self._module}", self._constant.startswith("_")
        for path, module in list(sys.modules.items()):
            mine = path == home or (path.startswith("gradcheck_cli.watch.") and not private)
            if mine and hasattr(module, self._constant):
                setattr(module, self._constant, self.default if value is None else value)


class Watching:
    """A pytest plugin that keeps to some tests, and notes those that fail and how long each took."""

    def __init__(self, numbers: Sequence[Moved | Constant], only: Sequence[str] | None = None) -> None:
        self.numbers, self.only = numbers, only
        self.failed: list[str] = []
        self.seconds: dict[str, float] = defaultdict(float)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.only is not None:
            by_id = {item.nodeid: item for item in items}
            items[:] = [by_id[test] for test in self.only]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        for each in self.numbers:
            each.reader = nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_runtest_logfinish(self) -> None:
        for each in self.numbers:
            each.reader = ""


def run(files: Sequence[str], numbers: Sequence[Moved | Constant], only: Sequence[str] | None = None) -> Watching:
    """Run tests in this process, up to the first that fails."""
    watching = Watching(numbers, only)
    quiet = ["-x", "-o", "addopts=", "-m", _USUAL, "-p", "no:terminal", "-p", "no:cacheprovider", "-W", "ignore"]
    pytest.main([*quiet, *(str(ROOT / file) for file in files)], plugins=[watching])
    return watching


def moves(name: str, value: float) -> tuple[float, float]:
    """A threshold, moved down and up by the factor."""
    unit = BOUNDS[name].unit if name in BOUNDS else "share" if 0 < value < 1 else ""
    if unit in ("share", "cosine"):  # by its odds, so that it stays one
        odds = value / (1 - value)
        return odds / (odds + FACTOR), odds * FACTOR / (1 + odds * FACTOR)
    if unit.startswith("decades"):
        return value - math.log10(FACTOR), value + math.log10(FACTOR)
    whole = type(value) is int and name not in BOUNDS  # so many updates
    return (round(value / FACTOR) if whole else value / FACTOR), value * FACTOR


def killers(numbers: Sequence[Moved | Constant], tests: Sequence[str]) -> Iterator[tuple[str, float, float, str]]:
    """For every number and move the first test that fails, the fastest first; "" where none does."""
    usual = run(tests, numbers)
    if usual.failed or not usual.seconds:
        sys.exit(f"these tests do not pass as they are: {usual.failed or tests}")
    for number in numbers:
        known = number.readers if isinstance(number, Moved) else usual.seconds
        readers = sorted(known, key=usual.seconds.__getitem__)
        files = sorted({test.partition("::")[0] for test in readers})
        for to in moves(number.name, number.default):
            number.to = to
            failed = run(files, (), readers).failed if readers else []
            number.to = None
            yield number.name, number.default, to, failed[0] if failed else ""


def main() -> int:
    """Print a line for every move."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="thresholds; all by default")
    parser.add_argument("--alarms", action="store_true", help="those of a run in place of those of a step")
    parser.add_argument("--loop", action="store_true", help="those of a loop in place of those of a step")
    parser.add_argument("--tests", nargs="+", metavar="PATH", help="tests that may notice")
    asked = parser.parse_args()
    tests = TESTS_OF_A_RUN if asked.alarms else TESTS_OF_A_LOOP if asked.loop else TESTS
    numbers: list[Moved | Constant]
    if asked.loop:
        numbers = [Constant(module, name) for module, names in CONSTANTS.items() for name in names.split()]
    else:
        table: type = Alarming if asked.alarms else Thresholds
        numbers = [Moved(table, name) for name in asked.names or [each.name for each in fields(table)]]
    survived: list[str] = []
    for name, usual, to, test in killers(numbers, asked.tests or tests):
        print(f"{name:<27} {usual:>9.4g} -> {to:<9.4g} {test or 'SURVIVED'}", flush=True)
        survived += [] if test else [name]
    of = f"{len(numbers)} thresholds, {len(survived)} of {2 * len(numbers)} moves"
    print(f"{len(set(survived))} of {of} survive")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
