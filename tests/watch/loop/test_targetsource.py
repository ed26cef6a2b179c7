"""The line that makes the batch a loss is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.watch.loop.targetsource import target_made_at


@pytest.mark.parametrize(
    ("script", "at", "made"),
    [
        ("for x, y in loader:\n    out = net(x)\n    loss = loss_fn(out, y)\n", 3, 1),
        ("loader = data.DataLoader(a)\nfor x, y in tqdm(loader):\n    f(net(x), y)\n", 3, 1),
        ("for i, (x, y) in enumerate(loader):\n    loss = loss_fn(net(x), target=y)\n", 2, 1),
        ("for s in range(9):\n    x, y = a[s:s+1], b[s:s+1]\n    loss = loss_fn(net(x), y)\n", 3, 2),
        ("for s in range(9):\n    rows = slice(s, s + 1)\n    loss = loss_fn(net(a[rows]), b[rows])\n", 3, 2),
        ("y = 1\ndef step(x):\n    y = x[1]\n    return (\n        loss_fn(net(x), y)\n    )\n", 5, 3),
    ],
)
def test_the_last_binding_of_the_target_is_told(tmp_path: Path, script: str, at: int, made: int) -> None:
    file = tmp_path / "train.py"
    file.write_text(script, encoding="utf-8")
    assert target_made_at(SourceLine(file=str(file), line=at)) == SourceLine(file=str(file), line=made)


FROM_ELSEWHERE = ["def step(x, y):\n    return loss_fn(net(x), y)\n", "%matplotlib inline\nf(a, b)\n"]


@pytest.mark.parametrize("script", FROM_ELSEWHERE)
def test_what_comes_from_elsewhere_has_no_line(tmp_path: Path, script: str) -> None:
    file = tmp_path / "train.py"
    file.write_text(script, encoding="utf-8")
    assert target_made_at(SourceLine(file=str(file), line=2)) is None
    assert target_made_at(SourceLine(file=str(tmp_path / "none.py"), line=2)) is None
