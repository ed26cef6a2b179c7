"""Loops in pairs: each fault is found under its code and at its line, and nothing in what looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gradcheck_cli.records.timeline import AlarmKind
from gradcheck_cli.rules import LOOP
from tests.watch.loop.loops import ILL, WELL, Script
from tests.watch.watching import watching

STEPS = 24


def found(script: Script, folder: Path) -> list[str]:
    torch.manual_seed(3)
    with watching(folder, first=False, max_diagnoses=0) as watched:
        script(STEPS)
        watched.watcher._ending()
    assert not watched.process.aside
    return [str(e.raised.evidence["code"]) for e in watched.process.raised if e.raised.kind is AlarmKind.LOOP]


@pytest.mark.parametrize(("code", "script"), ILL, ids=lambda each: getattr(each, "__name__", each))
def test_a_fault_is_found_and_no_other(code: str, script: Script, tmp_path: Path) -> None:
    assert found(script, tmp_path) == [code]


@pytest.mark.parametrize("script", WELL, ids=lambda each: each.__name__)
def test_what_looks_like_one_is_none(script: Script, tmp_path: Path) -> None:
    assert found(script, tmp_path) == []


def test_every_rule_has_a_loop() -> None:
    assert {code for code, _ in ILL} == {row.code for row in LOOP}
