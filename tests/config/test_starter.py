"""The gradcheck.yaml that `gradcheck init` writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.config.candidates import Candidate
from gradcheck_cli.config.faults import validated
from gradcheck_cli.config.starter import starter
from gradcheck_cli.config.yamldocuments import read_yaml
from gradcheck_cli.config.yamlmodels import File

# No file that a project holds has names of other characters than these, and a path is written as it stands.
NAMES = st.text(alphabet="ab_Z0 -.é層:#&*!|>'\"%@`{}[],\\~", min_size=1, max_size=8)


def read(folder: Path, text: str) -> File:
    path = folder / "gradcheck.yaml"
    path.write_text(text, encoding="utf-8")
    return validated(read_yaml(path, path))


def uncommented(text: str) -> str:
    """The file with its last comment filled in, as its own words ask for."""
    head, _, rest = text.partition("# These need arguments; fill in and uncomment:\n")
    return head + "\n" + re.sub(r"^  # ", "  ", rest, flags=re.MULTILINE)


def test_a_file_of_one_model_and_one_that_needs_arguments() -> None:
    text = starter((Candidate(model="a.py:net"), Candidate(model="sub/b.py:Net", needs=("width", "act"))))
    assert text.endswith(
        "checks:\n"
        "  - model: a.py:net\n"
        "\n"
        "  # These need arguments; fill in and uncomment:\n"
        "  # - model: sub/b.py:Net\n"
        "  #   set: {width: ..., act: ...}\n"
    )


def test_with_no_model_that_can_be_built_the_list_is_empty(tmp_path: Path) -> None:
    text = starter((Candidate(model="b.py:Net", needs=("width",)),))
    assert "checks: []\n" in text
    assert read(tmp_path, text).checks == []


@settings(max_examples=80, deadline=None)
@given(models=st.lists(NAMES, min_size=1, max_size=4))
def test_every_model_is_read_back_by_its_name(models: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    text = starter(tuple(Candidate(model=f"{name}.py:net") for name in models))
    checks = read(tmp_path_factory.getbasetemp(), text).checks
    assert [check.model for check in checks] == [f"{name}.py:net" for name in models]


@settings(max_examples=40, deadline=None)
@given(model=NAMES, needs=st.lists(st.sampled_from(["width", "n", "_x", "größe"]), min_size=1, max_size=3, unique=True))
def test_a_model_that_needs_arguments_is_read_once_it_is_uncommented(
    model: str, needs: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = starter((Candidate(model="first.py:net"), Candidate(model=f"{model}.py:Net", needs=tuple(needs))))
    folder = tmp_path_factory.getbasetemp()
    assert [check.model for check in read(folder, text).checks] == ["first.py:net"]
    later = read(folder, uncommented(text)).checks[1]
    assert later.model == f"{model}.py:Net"
    assert later.set == dict.fromkeys(needs, "...")


@pytest.mark.parametrize("name", ["true", "null", "1", "a b", "-", "@", "é"])
def test_a_name_that_yaml_would_misread_is_quoted(name: str) -> None:
    text = starter((Candidate(model=f"{name}:net"),))
    assert f"- model: {name}:net\n" in text if name in ("true", "null") else '- model: "' in text


def test_the_examples_in_its_comments_can_be_used(tmp_path: Path) -> None:
    text = starter((Candidate(model="a.py:net"),))
    for start in ("select", "ignore", "  GC401", "thresholds", "  GC403", "run", "  - {script"):
        text = text.replace(f"# {start}", start)
    text = re.sub(r"^  # (input|target|matrix)", r"  \1", text, flags=re.MULTILINE)
    file = read(tmp_path, text)
    assert file.select == ["GC1", "GC2"]
    assert file.ignore["GC401"][0].reason == "a fixed table of positions"
    assert file.thresholds == {"GC403": {"dead_share": 0.99}}
    assert file.defaults.seed == 0
    assert [(run.script, run.args, run.steps) for run in file.run] == [("train.py", ["--epochs", "1"], 20)]
    assert file.defaults.input == ["float32[8,3,32,32]"]
    assert file.defaults.matrix is not None and file.defaults.matrix.seed == [0, 1, 2]
