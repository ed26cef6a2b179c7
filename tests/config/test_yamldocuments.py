"""YAML as plain data, with the place of every part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.config.yamldocuments import YamlDocument, read_yaml
from gradcheck_cli.errors import ConfigError


def read(folder: Path, text: str) -> YamlDocument:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    return read_yaml(path, Path("shown.yaml"))


TEXTS = st.text(alphabet="ab é層:#-&*!|>'\"%@`{}[],\n\t\\~<01.e", max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
WRITERS = {
    "json": lambda value: json.dumps(value, ensure_ascii=False),
    "indented json": lambda value: json.dumps(value, ensure_ascii=False, indent=2),
}


def parts(value: Any, address: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(address, value), *(part for key, item in items for part in parts(item, (*address, key)))]


def text_at(text: str, place: tuple[int, int]) -> str:
    line, column = place
    return "\n".join(text.split("\n")[line - 1 :])[column - 1 :]


@settings(max_examples=80, deadline=None)
@given(value=VALUES, writer=st.sampled_from(sorted(WRITERS)))
def test_every_part_stands_where_it_is_said_to_stand(
    value: Any, writer: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = WRITERS[writer](value)
    document = read(tmp_path_factory.getbasetemp(), text)
    assert document.data == value
    assert set(document.values) == {address for address, _ in parts(value)}
    for address, part in parts(value):
        start = "{" if isinstance(part, dict) else "[" if isinstance(part, list) else WRITERS["json"](part)
        assert text_at(text, document.place(address)).startswith(start)
        if address and isinstance(address[-1], str):
            assert text_at(text, document.place(address, key=True)).startswith(WRITERS["json"](address[-1]))


@settings(max_examples=60, deadline=None)
@given(value=VALUES)
def test_what_is_written_with_its_types_is_read_with_them(value: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True, sort_keys=False)  # `!!int "3"`, `"3"`
    assert read(tmp_path_factory.getbasetemp(), text).data == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("~", None),
        ("NULL", None),
        ("012", 12),
        ("0o12", 10),
        ("0x1F", 31),
        ("+7", 7),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1e3", 1000.0),
        ("-.5E-1", -0.05),
        ("1.", 1.0),
        (".", "."),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("!!float 1", 1.0),
        ("=", "="),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: Any, tmp_path: Path) -> None:
    data = read(tmp_path, text).data
    assert data == value
    assert type(data) is type(value)


def test_an_alias_is_written_out_at_its_own_place(tmp_path: Path) -> None:
    document = read(tmp_path, "base: &b {seed: 1, lr: 2}\nother: *b\nmerged: {<<: *b, lr: 3}\n")
    assert document.data["other"] == {"seed": 1, "lr": 2}
    assert document.data["merged"] == {"seed": 1, "lr": 3}
    assert document.place(("merged", "lr")) == (3, 22)
    assert document.place(("merged", "seed"), key=True) == (1, 11)  # where it was written


def test_of_several_merged_mappings_the_first_wins(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  z: 3\n"
    assert read(tmp_path, text).data["c"] == {"x": 1, "y": 1, "z": 3}


def test_parts_of_an_address_that_the_file_does_not_have_are_passed_over(tmp_path: Path) -> None:
    document = read(tmp_path, "checks:\n  - model: a.py\n")
    assert document.known(("checks", 0, "nothing", "seed")) == ("checks", 0)
    assert document.known(("checks", "[key]", 0, "model")) == ("checks", 0, "model")
    assert document.place(("checks", 0, "nothing")) == (2, 5)
    assert document.place(("nothing",)) == (1, 1)


def test_a_fault_is_raised_at_the_place_of_a_value_or_of_its_key(tmp_path: Path) -> None:
    document = read(tmp_path, "a:\n  b: 3\n")
    for key, place in ((False, "2:6"), (True, "2:3")):
        with pytest.raises(ConfigError) as error:
            document.fail(("a", "b"), "is wrong", hint="Mend it.", key=key)
        assert (error.value.message, error.value.hint) == (f"shown.yaml:{place}: is wrong", "Mend it.")


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("a: 1\na: 2\n", "2:1", "`a` stands twice; first in line 1"),
        ("a: {b: 1, b: 2}\n", "1:11", "`b` stands twice; first in line 1"),
        ("1: a\n", "1:1", "a key must be text"),
        ("? {}\n: a\n", "1:3", "a key must be text"),
        ("a: !!set {b}\n", "1:4", "the tag `!!set` has no meaning here"),
        ("a: !!timestamp 2024-01-01\n", "1:4", "the tag `!!timestamp`"),
        ("<<: [1]\n", "1:6", "`<<` takes a mapping"),
        ("a: b: c\n", "1:5", "not valid YAML"),
        ("a: 1\n...\nb: 1\n", "3:1", "expected '<document start>'"),
        ("é: [\n", "2:1", "not valid YAML"),
    ],
)
def test_what_is_no_such_document_is_told_at_its_place(text: str, place: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert error.value.message.startswith(f"shown.yaml:{place}: ")
    assert told in error.value.message


@pytest.mark.parametrize(("depth", "fits"), [(31, True), (32, False), (40, False)])
def test_nesting_ends_somewhere(depth: int, fits: bool, tmp_path: Path) -> None:
    text = "[" * depth + "1" + "]" * depth
    if fits:
        assert read(tmp_path, text).data
    else:
        with pytest.raises(ConfigError, match="nested more than 32 deep"):
            read(tmp_path, text)


def test_one_in_ten_million_is_a_number(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("[1e-7, 1E3, -2e+2, .5, 1., 0x10, 0o10, 007, '1e-7', 1:30, 2024-01-01, no, ~]", encoding="utf-8")
    data = read_yaml(file, file).data
    assert data == [1e-7, 1000.0, -200.0, 0.5, 1.0, 16, 8, 7, "1e-7", "1:30", "2024-01-01", "no", None]
    assert yaml.safe_load("1e-7") == "1e-7"
