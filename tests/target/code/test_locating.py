"""Paths stay where the command was given, wherever the user's code goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gradcheck_cli.pipeline import run_check
from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target.code.locating import located, start, started_here

MODEL = """
import os
from torch import nn
os.makedirs("runs", exist_ok=True)
os.chdir("runs")
model = nn.Linear(3, 1)
def criterion(output, target):
    return ((output - target) ** 2).mean()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    with started_here():
        yield tmp_path


def test_a_path_leads_where_it_led_at_the_start(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    os.chdir("elsewhere")
    assert start() == folder
    assert located("m.py") == folder / "m.py"
    assert located("/tmp/m.py") == Path("/tmp/m.py")


def test_the_start_is_known_although_its_folder_is_gone(folder: Path) -> None:
    (folder / "gone").mkdir()
    os.chdir("gone")
    (folder / "gone").rmdir()
    assert located("m.py") == folder / "m.py"
    os.chdir(folder)


def test_code_that_changes_the_folder_changes_no_path_of_the_check(folder: Path) -> None:
    (folder / "m.py").write_text(MODEL)
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(8, 3)).astype("float32"))
    spec = CheckSpec(model="m.py", inputs=("x.npy",), target="float32[8,1]", loss="m.py:criterion")
    report = run_check(spec)
    assert report.status is Status.HEALTHY
    assert report.name == "m.py:model"
