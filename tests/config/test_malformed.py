"""Whatever stands in a gradcheck.yaml, the answer is one message with a place, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config.malformed import GOOD, PLACE, mutant, told

HEAD = "version: 1\n"
CHECK = HEAD + "checks:\n  - model: a.py\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8)
)
TABLE: tuple[tuple[str, str, str], ...] = (
    # (what stands in the file, where, a part of the message)
    ("", "1:1", "the file is empty"),
    ("# only a comment\n", "1:1", "the file is empty"),
    ("hello\n", "1:1", "must be a mapping"),
    ("- a\n- b\n", "1:1", "must be a mapping"),
    ("null\n", "1:1", "must be a mapping"),
    ("checks: []\n", "1:1", "`version` is missing"),
    ("version: 2\n", "1:10", "`version` must be 1"),
    ("version: '1'\n", "1:10", "`version` must be 1"),
    (HEAD + "chekcs: []\n", "2:1", "unknown key `chekcs`; did you mean `checks`?"),
    (HEAD + "fail-on: error\n", "2:1", "did you mean `fail_on`?"),
    (HEAD + "fail_on: eror\n", "2:10", "did you mean `error`?"),
    (HEAD + "fail_on: [error]\n", "2:10", "`fail_on` must be"),
    (HEAD + "defaults:\n  fail_on: error\n", "3:3", "unknown key `fail_on`"),
    (HEAD + "model: a.py\n", "2:1", "unknown key `model`"),
    (HEAD + "checks: a.py\n", "2:9", "`checks` must be a list"),
    (HEAD + "checks: [a.py]\n", "2:10", "`checks[0]` must be a mapping"),
    (HEAD + "checks:\n  - name: x\n", "3:5", "`model` is missing"),
    (CHECK + "    model: b.py\n", "4:5", "`model` stands twice; first in line 3"),
    (HEAD + "version: 1\n", "2:1", "`version` stands twice"),
    (CHECK + "  - model: a.py\n", "4:5", "a second check called `a.py`"),
    (CHECK + "    name: x\n  - {model: b.py, name: x}\n", "5:25", "a second check called `x`"),
    (CHECK + "    batche: 1\n", "4:5", "did you mean `batch"),
    (CHECK + "    seed: one\n", "4:11", "`checks[0].seed` must be a whole number"),
    (CHECK + "    seed: 1.5\n", "4:11", "must be a whole number"),
    (CHECK + "    seed: true\n", "4:11", "must be a whole number"),
    (CHECK + "    seed: -1\n", "4:11", "must be at least 0"),
    (CHECK + "    seed: 99999999999999999999\n", "4:11", "must be at most"),
    (CHECK + "    batches: 0\n", "4:14", "must be at least 1"),
    (CHECK + "    lr: fast\n", "4:9", "`checks[0].lr` must be a number"),
    (CHECK + "    lr: 0\n", "4:9", "must be above 0"),
    (CHECK + "    lr: 1e999\n", "4:9", "too large a number"),
    (CHECK + "    lr: .inf\n", "4:9", "must be a number"),
    (CHECK + "    timeout: -1\n", "4:14", "must be at least 0.001"),
    (CHECK + "    drift: 0\n", "4:12", "must be above 0"),
    (CHECK + "    max_memory: lots\n", "4:17", "is not an amount of memory like 4GB"),
    (CHECK + "    max_memory: 4\n", "4:17", "must be text"),
    (CHECK + "    baseline: b.json\n", "4:5", "unknown key `baseline`"),
    (HEAD + "baseline: [b.json]\n", "2:11", "must be text"),
    (CHECK + "    mode: training\n", "4:11", "did you mean `train`?"),
    (CHECK + "    optimizer: adamax\n", "4:16", "did you mean `adam`?"),
    (CHECK + "    autocast: float32\n", "4:15", "did you mean `float16`?"),
    (CHECK + "    trust_pickle: yes\n", "4:19", "must be true or false"),
    (CHECK + "    loss: 3\n", "4:11", "must be text"),
    (CHECK + "    input: {x: 1}\n", "4:12", "must be a list"),
    (CHECK + "    input: [1]\n", "4:13", "must be text"),
    (CHECK + "    set: [a]\n", "4:10", "must be a mapping"),
    (CHECK + "    set: {1: a}\n", "4:11", "a key must be text"),
    (CHECK + "    set: {a-b: 1}\n", "4:11", "is not an argument's name"),
    (CHECK + "    matrix: {seed: []}\n", "4:20", "must not be empty"),
    (CHECK + "    matrix: {seeds: [1]}\n", "4:14", "did you mean `seed`?"),
    (CHECK + "    matrix: {lr: [1]}\n", "4:14", "unknown key `lr`"),
    (CHECK + "    matrix: {set: {a: 1}}\n", "4:23", "must be a list"),
    (CHECK + f"    matrix: {{seed: {list(range(101))}, set: {{a: {list(range(100))}}}}}\n", "4:5", "more than 10000"),
    (CHECK + "    expect: GC999\n", "4:13", "no rule is called `GC999`"),
    (CHECK + "    expect: [GC2]\n", "4:14", "no rule is called `GC2`"),
    (HEAD + "run: [{name: x}]\n", "2:7", "`script` is missing"),
    (HEAD + "run: {script: a.py, arg: x}\n", "2:21", "did you mean `args`?"),
    (HEAD + "run: train.py\n", "2:6", "`run` must be a list"),
    (HEAD + "run: {script: a.py, model: b.py}\n", "2:21", "unknown key `model`"),
    (HEAD + "run: {script: a.py, seed: 1}\n", "2:21", "unknown key `seed`"),
    (HEAD + "run: {script: a.py, steps: 0}\n", "2:28", "must be at least 1"),
    (HEAD + "run: {script: a.py, args: [--lr, 0.1]}\n", "2:34", "must be text; put it in quotes"),
    (HEAD + "run: {script: a.py, args: 3}\n", "2:27", "must be a list"),
    (HEAD + "run: {script: a.py, args: --name 'a}\n", "2:27", "cannot be split into arguments (No closing quotation)"),
    (HEAD + "run: [{script: a.py}, {script: a.py}]\n", "2:23", "a second check called `a.py`"),
    (CHECK + "run: {script: b.py, name: a.py}\n", "4:27", "a second check called `a.py`"),
    (HEAD + "select: [GC9]\n", "2:10", "no rule is called `GC9`"),
    (HEAD + "select: vanishing\n", "2:9", "did you mean `vanishing-"),
    (HEAD + "ignore: 3\n", "2:9", "`ignore` takes rules"),
    (HEAD + "ignore: [GC401, 3]\n", "2:9", "`ignore` takes rules"),
    (HEAD + "ignore: {GC401: ['encoder.pos*']}\n", "2:17", "layers need a reason"),
    (HEAD + "ignore: {GC401: {layers: [a]}}\n", "2:17", "`reason` is missing"),
    (HEAD + "ignore: {GC401: {layers: [a], reason: ''}}\n", "2:39", "must not be empty"),
    (HEAD + "ignore: {GC999: {reason: x}}\n", "2:10", "no rule is called `GC999`"),
    (HEAD + "thresholds: {GC206: {saturated_shar: 1}}\n", "2:22", "did you mean `saturated_share`?"),
    (HEAD + "thresholds: {GC206: {saturated_share: 2}}\n", "2:39", "must lie between 0 and 1"),
    (HEAD + "thresholds: {GC206: {dead_share: 0.9}}\n", "2:22", "GC206 has no threshold `dead_share`"),
    (HEAD + "thresholds: {GC101: {x: 1}}\n", "2:22", "(it has none)"),
    (HEAD + "thresholds: {GC999: {x: 1}}\n", "2:", "no rule is called `GC999`"),
    (HEAD + "thresholds: {GC206: 1}\n", "2:21", "must be a mapping"),
    (HEAD + "include: nothing/*.yaml\n", "2:10", "no file fits"),
    (HEAD + "include: ['']\n", "2:11", "must not be empty"),
    (HEAD + "include: [/etc/*.yaml]\n", "2:11", "is not a pattern"),
    (HEAD + "include: gradcheck.yaml\n", "2:10", "which includes this file"),
    (HEAD + "include: '.'\n", "2:10", "."),
    (HEAD + "checks:\n\t- model: a.py\n", "3:1", "a tab"),
    ("version:\t1\n", "1:9", "a tab"),
    (HEAD + "checks: [\n", "3:1", "not valid YAML"),
    (HEAD + "checks: 'a\n", "3:1", "not valid YAML"),
    (HEAD + "checks: *nowhere\n", "2:9", "undefined alias"),
    (HEAD + "checks: !!python/object:os.system x\n", "2:9", "has no meaning here"),
    (HEAD + "checks: !mine []\n", "2:9", "the tag `!mine`"),
    (HEAD + "checks: !!binary aGk=\n", "2:9", "the tag `!!binary`"),
    (HEAD + "checks: !!int x\n", "2:9", "cannot be read as int"),
    (HEAD + "checks: " + "9" * 5000 + "\n", "2:9", "cannot be read as int"),
    (HEAD + "---\nversion: 1\n", "2:1", "a second document"),
    (HEAD + "? [a]\n: b\n", "2:3", "a key must be text"),
    (HEAD + "<<: 3\n", "2:5", "`<<` takes a mapping"),
    (HEAD + "<<: &a {<<: *a}\n", "2:", "an anchor that holds itself"),
    (HEAD + "checks: &a [*a]\n", "2:9", "nested more than 32 deep"),
    (HEAD + "checks: " + "[" * 5000 + "\n", "2:40", "nested more than 32 deep"),
    (HEAD + "checks: " + "{a: " * 5000 + "\n", "2:", "nested more than 32 deep"),
    (HEAD + "- " * 3000 + "\n", "2:1", "not valid YAML"),
    (BOMB, "1:", "more than 100000 values"),
    (HEAD + 'checks: "\\UFFFFFFFF"\n', "2:", "not valid YAML"),
    (HEAD + 'checks: "\\uD800"\n', "2:9", "stands for no character"),
    (CHECK.replace("a.py", '"a\\0.py"'), "3:12", "stands for no character"),
    (HEAD + "checks: \0\n", "2:9", "a control character"),
)


@pytest.mark.parametrize(("content", "place", "part"), TABLE, ids=range(len(TABLE)))
def test_each_fault_is_told_at_its_place(content: str, place: str, part: str, tmp_path: Path) -> None:
    message = told(tmp_path, content.encode())
    assert message is not None
    assert part in message
    assert f"gradcheck.yaml:{place}" in message
    assert PLACE.search(message)
    assert len(message) < 600


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (HEAD.encode() + b"# caf\xe9\n", "2:6"),
        (HEAD.encode("utf-16"), "1:1"),
        ("# é\n".encode() + b"\xff", "2:1"),
    ],
)
def test_other_encodings_are_told_with_the_place_of_the_first_bad_byte(
    content: bytes, place: str, tmp_path: Path
) -> None:
    assert f"gradcheck.yaml:{place}: not UTF-8" in (told(tmp_path, content) or "")


def test_the_good_file_is_good(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD.encode()) is None
    assert told(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()) is None


def test_two_hundred_mutants_are_told_at_a_place(tmp_path: Path) -> None:
    messages = [message for seed in range(300) if (message := told(tmp_path, mutant(seed)))]
    assert len(messages) >= 200
    assert [message for message in messages if not PLACE.search(message)] == []


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=80) | st.text(alphabet="ab:- \n{}[],&*!|>'\"#%@1e<?\t", max_size=60).map(str.encode))
def test_anything_at_all_is_accepted_or_told_at_a_place(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    message = told(tmp_path_factory.getbasetemp(), content)
    assert message is None or PLACE.search(message)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    assert "larger than 1 MiB" in (told(tmp_path, b"#" * (2**20 + 1)) or "")


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    from gradcheck_cli.config import load_config
    from gradcheck_cli.errors import ConfigError

    with pytest.raises(ConfigError, match="there is no file"):
        load_config(tmp_path / "absent.yaml", {})
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(tmp_path, {})
