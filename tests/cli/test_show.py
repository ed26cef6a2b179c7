from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck_cli.reports import FORMATS, Style, render
from tests.reports.examples import EXAMPLES


@pytest.fixture
def saved(tmp_path: Path):
    def save(example: str) -> str:
        path = tmp_path / f"{example}.json"
        path.write_text(render(EXAMPLES[example](), "json"), encoding="utf-8")
        return str(path)

    return save


@pytest.mark.parametrize("example", EXAMPLES)
def test_show_gives_what_check_printed_and_ends_with_0(gradcheck, saved, example: str) -> None:
    for format in FORMATS:
        ended = gradcheck("show", saved(example), "--format", format)
        assert ended.code == 0
        assert ended.out == render(EXAMPLES[example](), format, Style(width=100))


def test_show_converts(gradcheck, saved, tmp_path: Path) -> None:
    assert gradcheck("show", saved("nan"), "-q", "--output", f"json={tmp_path}/again.json").code == 0
    assert (tmp_path / "again.json").read_text() == Path(saved("nan")).read_text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "gradcheck-report/2"}'])
def test_a_file_that_is_no_report(gradcheck, tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    ended = gradcheck("show", str(path))
    assert ended.code == 2
    assert ended.out == ""
    assert f"error: {path}: " in ended.err
    assert "hint: " in ended.err


def test_a_file_that_is_not_there(gradcheck, tmp_path: Path) -> None:
    ended = gradcheck("show", str(tmp_path / "none.json"))
    assert ended.code == 2
    assert "No such file" in ended.err
