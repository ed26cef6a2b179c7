"""Places in code objects as lines of source."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.records.source import SourceLine

HERE = Path(__file__)


def place(frame: FrameType) -> tuple:
    return frame.f_code, frame.f_lasti


def line_of(code: str) -> int:
    return next(i for i, line in enumerate(HERE.read_text().splitlines(), 1) if line.strip() == code)


def test_a_place_is_the_line_that_ran_there() -> None:
    found = SourceTable(str(HERE.parent)).line(place(sys._getframe()))
    assert found == SourceLine(
        file=HERE.name,
        line=line_of("found = SourceTable(str(HERE.parent)).line(place(sys._getframe()))"),
        code="found = SourceTable(str(HERE.parent)).line(place(sys._getframe()))",
    )


def test_of_a_statement_over_several_lines_the_line_of_the_call_is_told() -> None:
    places = [
        None,
        place(sys._getframe()),
    ]
    found = SourceTable(str(HERE.parent)).line(places[1])
    assert found is not None
    assert (found.code, found.line) == ("place(sys._getframe()),", line_of("place(sys._getframe()),"))


@pytest.mark.parametrize(("root", "shown"), [(HERE.parent, HERE.name), (HERE.parents[1], f"probe/{HERE.name}")])
def test_a_file_below_the_root_is_shown_from_there(root: Path, shown: str) -> None:
    found = SourceTable(str(root)).line(place(sys._getframe()))
    assert found is not None and found.file == shown


def test_a_file_elsewhere_keeps_its_own_path(tmp_path: Path) -> None:
    found = SourceTable(str(tmp_path)).line(place(sys._getframe()))
    assert found is not None and found.file == str(HERE)


def test_code_without_a_file_has_a_place_and_no_text(tmp_path: Path) -> None:
    namespace: dict = {"sys": sys}
    exec(compile("\n\ndef f(): return sys._getframe()", "<made up>", "exec"), namespace)
    found = SourceTable(str(tmp_path)).line(place(namespace["f"]()))
    assert found == SourceLine(file="<made up>", line=3, code="")


def test_no_place_is_no_line() -> None:
    table = SourceTable(".")
    assert table.line(None) is None
    assert table.index(None) == -1
    assert table.lines() == ()


@given(numbers=st.lists(st.integers(1, 20), max_size=30))
def test_a_line_has_one_index_however_it_is_reached(numbers: list[int]) -> None:
    table = SourceTable(str(HERE.parent))
    indexes = [table.built(str(HERE), number) for number in numbers]
    assert sorted(set(indexes)) == list(range(len(set(numbers))))
    text = HERE.read_text().splitlines()
    for number, index in zip(numbers, indexes, strict=True):
        assert table.lines()[index] == SourceLine(file=HERE.name, line=number, code=text[number - 1].strip())


def test_a_place_and_a_line_that_built_a_module_share_an_index() -> None:
    table = SourceTable(str(HERE.parent))
    first, second = place(sys._getframe()), place(sys._getframe())  # two places in one line
    assert table.index(first) == table.index(second) == table.index(first) == 0
    assert table.built(str(HERE), table.lines()[0].line) == 0
    assert table.built(str(HERE), table.lines()[0].line + 1) == 1
