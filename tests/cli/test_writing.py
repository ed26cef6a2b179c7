"""Files appear whole or not at all, and what cannot be written does not go unsaid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck_cli.cli.writing import write_file
from gradcheck_cli.errors import GradcheckError, ReportError


def test_a_failed_check_replaces_the_old_report(stub, gradcheck, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("old")
    stub.outcome = GradcheckError("no batch")
    assert gradcheck("check", "m.py", "--output", f"json={file}").code == 2
    assert json.loads(file.read_text())["error"] == "no batch"


def test_what_cannot_be_written_leaves_the_old_file_and_the_report_on_stdout(
    stub, gradcheck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.json").write_text("old")
    monkeypatch.setattr(Path, "replace", refuse)
    ended = gradcheck("check", "m.py", "--format", "json", "--output", f"json={tmp_path}/a.json")
    assert ended.code == json.loads(ended.out)["exit_code"] == 2
    assert json.loads(ended.out)["findings"]
    assert "Permission denied" in ended.err
    assert (tmp_path / "a.json").read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_is_refused_before_the_check(stub, gradcheck, tmp_path: Path) -> None:
    ended = gradcheck("check", "m.py", "--output", f"json={tmp_path}")
    assert ended.code == 2
    assert "is a folder" in ended.err
    assert stub.specs == []


def test_a_link_keeps_pointing(stub, gradcheck, tmp_path: Path) -> None:
    link = tmp_path / "latest.json"
    link.symlink_to(tmp_path / "real.json")
    gradcheck("check", "m.py", "--output", f"json={link}")
    assert link.is_symlink()
    assert (tmp_path / "real.json").is_file()


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        write_file(pipe, "text\n")
        assert reader.communicate(timeout=20)[0] == "text\n"
    assert pipe.is_fifo()


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be written"):
        write_file(tmp_path / "no" / "file", "text")


def test_names_that_stdout_cannot_encode_are_escaped() -> None:
    code = "from gradcheck_cli.cli.writing import emit; emit('caf\\u00e9 \\u2603\\n')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert ended.stdout == "caf\\xe9 \\u2603\n"
