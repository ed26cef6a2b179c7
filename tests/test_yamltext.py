"""One reader of YAML 1.2 for gradcheck.yaml and --set."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.yamltext import NotYaml, json_in_yaml, line_and_column, parse

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=5), inner, max_size=3),
    max_leaves=8,
)
PIECES = (
    *"[]{},:-?&*!|>'\"%@`#~=<. \n\t",
    *("&a ", "*a", "<<: ", "!!int ", "!!python/object:os.system ", "--- ", "...", "\\ud800", "\\UFFFFFFFF", "\\x"),
    *(
        "no",
        "012",
        "0o17",
        "0x",
        "1_000",
        "1:30",
        "1e999",
        ".inf",
        "9" * 5000,
        "\ud800",
        "\x85",
        "\u2028",
        "\ufeff",
        "é",
    ),
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join)
EXAMPLES = [300, pytest.param(10_000, marks=pytest.mark.sweep)]


@pytest.mark.parametrize("examples", EXAMPLES)
def test_any_text_is_a_value_or_one_message(examples: int) -> None:
    @settings(max_examples=examples)
    @given(TEXTS)
    def read(text: str) -> None:
        with suppress(NotYaml):
            assert isinstance(parse(text).data, dict | list | str | int | float | None)

    read()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_a_value_of_gradcheck_yaml_comes_back_from_set(examples: int) -> None:
    @settings(max_examples=examples)
    @given(VALUES)
    def back(value: Any) -> None:
        read = parse(json_in_yaml(value)).data
        assert read == value and type(read) is type(value)

    back()


@pytest.mark.parametrize(
    ("text", "told", "place"),
    [
        ("&a [*a]", "anchor that holds itself", (1, 1)),
        ("[" * 3000, "nested more than 32 deep", (1, 33)),
        ("a: 1\na: 2", "`a` stands twice", (2, 1)),
        ("x: 1e999", "`1e999` is too large a number", (1, 4)),
        ("x: !!float abc", "`abc` cannot be read as float", (1, 4)),
        ('"\\UFFFFFFFF"', "not valid YAML", (1, 4)),
        ("1\n--- 2", "a second document starts here", (2, 1)),
        ("a\x07b", "a control character", (1, 2)),
        ('"\\ud800"', "stands for no character", (1, 1)),
    ],
)
def test_what_is_no_value_is_told_with_its_place(text: str, told: str, place: tuple[int, int]) -> None:
    with pytest.raises(NotYaml, match=told) as error:
        parse(text)
    assert error.value.place == place


def test_aliases_are_bounded_once_they_are_written_out() -> None:
    bomb = (
        "[&a [0,0,0,0,0,0,0,0,0,0]"
        + "".join(f", &{after} [{', '.join([f'*{of}'] * 10)}]" for of, after in zip("abcdef", "bcdefg", strict=True))
        + "]"
    )
    with pytest.raises(NotYaml, match="more than 100000 values"):
        parse(bomb)


def test_no_text_is_no_value() -> None:
    assert parse("").data is parse("# nothing").data is None
    assert parse("").values == {} and parse("~").values != {}


def test_the_place_after_a_text() -> None:
    assert [line_and_column(text) for text in ("", "ab", "a\n", "a\nbc")] == [(1, 1), (1, 3), (2, 1), (2, 3)]
