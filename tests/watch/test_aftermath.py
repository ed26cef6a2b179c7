"""What the user's code does on the side while a step is repeated is undone, or told."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gradcheck_cli.watch.aftermath import undone


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module of the user's."""
    made = ModuleType("users_own")
    made.__file__ = str(tmp_path / "users_own.py")
    monkeypatch.setitem(sys.modules, "users_own", made)
    yield made


def untold(text: str) -> None:
    raise AssertionError(text)


def test_variables_and_what_they_hold_come_back(module: Any) -> None:
    module.step, module.log, module.seen, module.recent = 3, [1, 2], {1: "a"}, deque([1], maxlen=2)
    log = module.log
    with undone(untold):
        module.step += 1
        module.log.append(3)
        module.seen[2] = "b"
        module.recent.append(2)
        module.new = True
    assert (module.step, module.seen, list(module.recent)) == (3, {1: "a"}, [1])
    assert module.log is log and log == [1, 2] and not hasattr(module, "new")


def test_counters_of_classes_come_back(module: Any) -> None:
    class Net:
        calls = 0

    module.Net = Net
    with undone(untold):
        Net.calls += 1
    assert Net.calls == 0


def test_a_generator_that_was_asked_for_more_is_told(module: Any) -> None:
    module.stream = (number for number in range(9))
    told: list[str] = []
    next(module.stream)
    with undone(told.append):
        pass
    assert told == []
    with undone(told.append):
        next(module.stream)
    assert told == ["to repeat a step took an element of `stream`, a generator: the run goes on with the next one"]
