"""The table of suffixes, and how one is read."""

from pathlib import Path

import pytest

from gradcheck_cli import suffixes


@pytest.mark.parametrize(
    ("path", "suffix"),
    [("x.NPY", ".npy"), (Path("a.b/model.tar.pt"), ".pt"), ("a.b/c", ""), (".csv", "")],
)
def test_a_suffix_is_read_in_lower_case(path: str | Path, suffix: str) -> None:
    assert suffixes.suffix_of(path) == suffix


def test_what_torch_saves_is_data_and_weights() -> None:
    assert set(suffixes.PICKLES) <= set(suffixes.DATA) & set(suffixes.WEIGHTS)


def test_no_report_is_written_over_anything_that_a_check_is_given() -> None:
    assert set(suffixes.INPUTS) <= set(suffixes.SOURCES)
    assert all(s.startswith(".") and s == s.lower() for s in suffixes.SOURCES)
