"""Files appear whole or not at all, and what cannot be written does not go unsaid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck_cli.cli import writing
from gradcheck_cli.cli.writing import parse_outputs, stream_of, write_file
from gradcheck_cli.errors import GradcheckError, ReportError, UsageError


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


@pytest.mark.parametrize("name", ["n" * 250, "n" * 255, "é" * 127])
def test_any_legal_name_is_written(name: str, tmp_path: Path) -> None:
    write_file(tmp_path / name, "text\n")
    assert (tmp_path / name).read_text() == "text\n"
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_of_what_was_there_is_kept(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "r"
    file.write_text("old")
    file.chmod(mode)
    write_file(file, "new")
    assert (file.stat().st_mode & 0o777, file.read_text()) == (mode, "new")


def test_a_link_that_leads_nowhere_is_filled_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("end")
    write_file(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "end").read_text() == "text"


def test_a_pipe_that_nobody_reads_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_READER", 0.05)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ReportError, match=r"pipe: cannot be written"):
        write_file(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("name", "descriptor"),
    [
        ("/dev/stdout", 1),
        ("/dev/stderr", 2),
        ("/dev/fd/7", 7),
        ("/proc/self/fd/12", 12),
        ("/dev/null", None),
        ("fd/1", None),
    ],
)
def test_the_names_of_streams(name: str, descriptor: int | None) -> None:
    assert stream_of(Path(name)) == descriptor


def test_a_stream_is_written_to_where_it_stands(tmp_path: Path) -> None:
    """As the shell's `2> log` opened it: to open it anew would begin the file again."""
    with (tmp_path / "log").open("wb", buffering=0) as log:
        log.write(b"before\n")
        write_file(Path(f"/dev/fd/{log.fileno()}"), "text\n")
        log.write(b"after\n")
    assert (tmp_path / "log").read_text() == "before\ntext\nafter\n"


@pytest.mark.parametrize(
    ("path", "given", "error", "told"),
    [
        ("m.py", (), UsageError, "is there already, and is no report"),
        ("link", (), UsageError, "is there already, and is no report"),
        ("held", ("held",), UsageError, "is read here"),
        ("held", (None, "held:model"), UsageError, "is read here"),
        ("sub/../held", ("./held",), UsageError, "is read here"),
        ("sub", (), ReportError, "is a folder"),
        ("new/", (), ReportError, "is a folder"),
        ("no/x", (), ReportError, "there is no folder"),
        ("held/x", (), ReportError, "there is no folder"),
        ("loop", (), ReportError, "leads back to itself"),
        ("n" * 300, (), ReportError, "too long"),
        ("~nosuchuser/x", (), ReportError, "there is no folder"),
    ],
)
def test_where_no_report_is_written(
    path: str, given: tuple[str | None, ...], error: type, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("m.py", "held"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "link").symlink_to("m.py")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(error, match=told):
        parse_outputs([f"json={path}"], given)


def test_an_older_report_and_a_new_python_file_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.json").write_text("{}")
    found = parse_outputs(["json=r.json", "table=new.py"], ("m.py", "float32[8,4]", ":", "n" * 300))
    assert [output.path.name for output in found] == ["r.json", "new.py"]


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_on_a_full_disk_is_one_error(name: str) -> None:
    code = f"import sys; from gradcheck_cli.cli.writing import emit; emit('text', sys.{name})"
    with Path("/dev/full").open("w") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, name: full}
        ended = subprocess.run([sys.executable, "-c", code], text=True, check=False, **streams)
    assert ended.returncode == 1
    assert ended.stderr is None or ended.stderr.splitlines()[-1].endswith(
        f"{name} cannot be written: No space left on device"
    )
