"""Files that include files, and which file is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gradcheck_cli.config import find_config, load_config
from gradcheck_cli.errors import ConfigError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("version: 1\n" + text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_included_file_means_the_same_as_alone(tmp_path: Path) -> None:
    root = write(tmp_path / "gradcheck.yaml", "fail_on: error\ninclude: '*/gradcheck.yaml'\nchecks: [{model: a.py}]")
    inner = write(tmp_path / "b" / "gradcheck.yaml", "defaults: {seed: 3}\nchecks: [{model: b.py, name: b}]")
    write(tmp_path / "c" / "gradcheck.yaml", "checks: [{model: c.py, name: c}]")
    checks = load_config(root, {})
    assert [check.spec.model for check in checks] == ["a.py", "b/b.py", "c/c.py"]
    assert checks[1:2] == load_config(inner, {})


def test_runs_come_after_the_checks_of_their_file(tmp_path: Path) -> None:
    root = write(tmp_path / "gradcheck.yaml", "include: x.yaml\nrun: {script: t.py}\nchecks: [{model: a.py}]")
    write(tmp_path / "x.yaml", "run: [{script: u.py}, {script: v.py}]")
    assert [check.name for check in load_config(root, {})] == ["a.py", "t.py", "u.py", "v.py"]


def test_a_run_called_as_a_check_is_told_with_both_places(tmp_path: Path) -> None:
    root = write(tmp_path / "gradcheck.yaml", "checks: [{model: a.py, name: n}]\ninclude: x.yaml")
    write(tmp_path / "x.yaml", "run: {script: b.py, name: n}")
    with pytest.raises(ConfigError, match=r"x\.yaml:2:27: a second check called `n`; .*gradcheck\.yaml:2$"):
        load_config(root, {})


def test_a_file_that_is_included_twice_counts_once(tmp_path: Path) -> None:
    root = write(tmp_path / "gradcheck.yaml", "include: ['x.yaml', '?.yaml']")
    write(tmp_path / "x.yaml", "checks: [{model: a.py}]")
    assert len(load_config(root, {})) == 1


def test_a_cycle_is_told_where_it_closes(tmp_path: Path) -> None:
    root = write(tmp_path / "gradcheck.yaml", "include: x.yaml")
    write(tmp_path / "x.yaml", "include:\n  - gradcheck.yaml")
    with pytest.raises(ConfigError, match=r"x\.yaml:3:5: `gradcheck\.yaml` includes .*, which includes this file"):
        load_config(root, {})


def test_one_name_in_two_files_is_told_with_both_places(tmp_path: Path) -> None:
    root = write(tmp_path / "gradcheck.yaml", "checks: [{model: a.py, name: n}]\ninclude: x.yaml")
    write(tmp_path / "x.yaml", "checks: [{model: b.py, name: n}]")
    with pytest.raises(ConfigError, match=r"x\.yaml:2:30: a second check called `n`; .*gradcheck\.yaml:2$"):
        load_config(root, {})


def test_a_fault_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    root = write(tmp_path / "gradcheck.yaml", "include: x.yaml")
    write(tmp_path / "x.yaml", "chekcs: []")
    with pytest.raises(ConfigError, match=r"x\.yaml:2:1: unknown key `chekcs`"):
        load_config(root, {})


def test_the_nearest_file_up_to_the_repository(tmp_path: Path) -> None:
    deep = tmp_path / "repo" / "src" / "nets"
    deep.mkdir(parents=True)
    outside = write(tmp_path / "gradcheck.yaml", "")
    assert find_config(deep) is None
    assert find_config(tmp_path) == outside
    (tmp_path / "repo" / ".git").mkdir()
    assert find_config(deep) is None
    root = write(tmp_path / "repo" / "gradcheck.yaml", "")
    assert find_config(deep) == root
    near = write(deep.parent / "gradcheck.yaml", "")
    assert find_config(deep) == near


@pytest.mark.parametrize(("count", "fits"), [(30, True), (40, False), (1200, False)])
def test_a_chain_of_includes_ends_somewhere(count: int, fits: bool, tmp_path: Path) -> None:
    for place in range(count):
        (tmp_path / f"{place}.yaml").write_text(f"version: 1\ninclude: [{place + 1}.yaml]\n")
    (tmp_path / f"{count}.yaml").write_text("version: 1\nchecks: [{model: m.py}]\n")
    if fits:
        assert len(load_config(tmp_path / "0.yaml", {})) == 1
    else:
        with pytest.raises(ConfigError, match="include each other more than 32 deep"):
            load_config(tmp_path / "0.yaml", {})


def test_a_link_to_itself_and_a_fifo_are_refused_where_they_are_included(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\ninclude: ['odd*']\n")
    (tmp_path / "odd").symlink_to("odd")
    with pytest.raises(ConfigError, match=r"leads back to itself|no file fits"):
        load_config(tmp_path / "a.yaml", {})
    (tmp_path / "odd").unlink()
    os.mkfifo(tmp_path / "odd")
    with pytest.raises(ConfigError, match="is a FIFO"):
        load_config(tmp_path / "a.yaml", {})
