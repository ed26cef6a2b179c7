"""`gradcheck init [FOLDER]`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck_cli.cli import run
from gradcheck_cli.config import load_config
from tests.config.test_candidates import tree


def write(folder: Path, **files: str) -> None:
    for name, code in files.items():
        (folder / f"{name}.py").write_text(f"import torch\n{code}\n")


NEEDY = "def build_model(width): ..."
READY = "def build_model(): ..."


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a": READY}, "1 check"),
        ({"a": READY, "b": READY}, "2 checks"),
        ({"a": READY, "b": NEEDY}, "1 check, and 1 model to complete"),
        ({"a": NEEDY, "b": NEEDY}, "0 checks, and 2 models to complete"),
    ],
)
def test_what_was_written_is_told_in_a_line(gradcheck, tmp_path: Path, files: dict[str, str], words: str) -> None:
    write(tmp_path, **files)
    ended = gradcheck("init", str(tmp_path))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"wrote {tmp_path / 'gradcheck.yaml'}: {words}\n"


def test_the_file_plans_the_models_that_are_ready(gradcheck, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, a=READY, b=NEEDY)
    assert gradcheck("init").code == 0
    assert [check.name for check in load_config(Path("gradcheck.yaml"), {})] == ["a.py:build_model"]


def test_a_model_that_raises_is_not_run(gradcheck, tmp_path: Path) -> None:
    write(tmp_path, a=f"{READY}\nraise SystemExit('imported')")
    assert gradcheck("init", str(tmp_path)).code == 0


def test_a_file_is_no_folder(gradcheck, tmp_path: Path) -> None:
    write(tmp_path, a=READY)
    ended = gradcheck("init", str(tmp_path / "a.py"))
    assert ended.code == 2
    assert ended.err.startswith(f"error: there is no folder {tmp_path / 'a.py'}\n")


def test_a_file_that_cannot_be_written_is_told(gradcheck, tmp_path: Path) -> None:
    write(tmp_path, a=READY)
    (tmp_path / "gradcheck.yaml").mkdir()
    ended = gradcheck("init", str(tmp_path), "--force")
    assert (ended.code, ended.out) == (2, "")
    assert "gradcheck.yaml" in ended.err


def test_every_hint_in_the_file_is_right(tmp_path: Path, monkeypatch) -> None:
    tree(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    lines = Path("gradcheck.yaml").read_text(encoding="utf-8").split("\n")[1:16]
    open_lines = [line.replace("# ", "", 1) if line.lstrip().startswith("#") else line for line in lines]
    Path("gradcheck.yaml").write_text("\n".join(open_lines) + "\nchecks: [{model: a.py}]\n", encoding="utf-8")
    assert len(load_config(Path("gradcheck.yaml"), {})) == 3


def test_init_never_overwrites_without_force(tmp_path: Path, capsys) -> None:
    tree(tmp_path)
    file = tmp_path / "gradcheck.yaml"
    file.write_text("mine", encoding="utf-8")
    assert run(["init", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "mine"
    assert run(["init", str(tmp_path), "--force"]) == 0
    assert file.read_text(encoding="utf-8") != "mine"


def test_init_without_models_or_folder_writes_nothing(tmp_path: Path, capsys) -> None:
    assert run(["init", str(tmp_path)]) == 2
    assert "defines a model" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert run(["init", str(tmp_path / "absent")]) == 2
    assert "there is no folder" in capsys.readouterr().err
