"""Files of the script's with names of Python's are left to it, and we get Python's."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradcheck_cli.watch.imports import pythons_own


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    (tmp_path / "colorsys.py").write_text("whose = 'theirs'")
    yield tmp_path
    sys.modules.pop("colorsys", None)


def test_a_file_beside_the_script_is_imported_by_it_alone(beside: Path) -> None:
    path = list(sys.path)
    with pythons_own():
        assert hasattr(importlib.import_module("colorsys"), "rgb_to_hsv")
    assert "colorsys" not in sys.modules and sys.path == path
    assert importlib.import_module("colorsys").whose == "theirs"


def test_one_that_it_has_imported_stays(beside: Path) -> None:
    theirs = importlib.import_module("colorsys")
    with pythons_own():
        assert hasattr(importlib.import_module("colorsys"), "rgb_to_hsv")
    assert sys.modules["colorsys"] is theirs


def test_what_nobody_else_has_is_imported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with pythons_own():
        made = importlib.import_module("colorsys")
    assert importlib.import_module("colorsys") is made
