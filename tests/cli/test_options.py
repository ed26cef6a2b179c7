"""Options that several commands share, and the frame that turns whatever happens into a report and an exit code."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer

from gradcheck_cli.cli import options
from gradcheck_cli.cli.options import Color, OutputOptions, check_limits, colored, config_file, finish, size_of
from gradcheck_cli.cli.writing import PAGE_WIDTH
from gradcheck_cli.errors import GradcheckError, Interrupted, TargetError, UsageError
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.reports import FORMATS
from gradcheck_cli.signals import Signalled
from gradcheck_cli.suite.memory import can_be_limited
from tests.reports.examples import failed, healthy, mixed, vanishing

# --------------------------------------------------------------------------- colours and looks


@pytest.mark.parametrize(
    ("color", "terminal", "environment", "told"),
    [
        (Color.ALWAYS, False, {"NO_COLOR": "1", "TERM": "dumb"}, True),
        (Color.NEVER, True, {}, False),
        (Color.AUTO, True, {}, True),
        (Color.AUTO, False, {}, False),
        (Color.AUTO, True, {"NO_COLOR": "1"}, False),
        (Color.AUTO, True, {"NO_COLOR": "0"}, False),
        (Color.AUTO, True, {"NO_COLOR": ""}, True),  # as https://no-color.org says
        (Color.AUTO, True, {"TERM": "dumb"}, False),
    ],
)
def test_colours_by_the_option_the_environment_and_the_terminal(
    color: Color, terminal: bool, environment: dict[str, str], told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colored(color, terminal=terminal) is told


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("encoding", "unicode"), [("utf-8", True), ("UTF8", True), ("utf-16", True), ("ascii", False), ("latin-1", False)]
)
def test_blocks_only_where_stdout_can_take_them(encoding: str, unicode: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert OutputOptions().style().unicode is unicode


def test_a_pipe_has_the_width_of_a_page_and_a_terminal_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "37")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert OutputOptions().style().width == PAGE_WIDTH
    monkeypatch.setattr(sys, "stdout", Terminal(io.BytesIO(), encoding="utf-8"))
    assert OutputOptions().style().width is None


@pytest.mark.parametrize("flag", ["verbose", "quiet"])
def test_what_was_asked_for_is_how_it_looks(flag: str) -> None:
    assert getattr(OutputOptions(**{flag: True}).style(), flag) is True
    assert getattr(OutputOptions().style(), flag) is False


# --------------------------------------------------------------------------- limits


@pytest.mark.parametrize(("text", "size"), [(None, None), ("4GB", 4 * 10**9), ("512MiB", 2**29)])
def test_the_bytes_of_max_memory(text: str | None, size: int | None) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0"])
def test_what_is_no_amount_is_told_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--max-memory: .* is not an amount of memory") as raised:
        size_of(text)
    assert raised.value.hint == "Write --max-memory 4GB."


def planned(**fields: Any) -> PlannedCheck:
    return PlannedCheck(name="m", spec=CheckSpec(model="m.py"), **fields)


@pytest.mark.skipif(not can_be_limited(), reason="needs /proc")
def test_limits_that_can_be_kept_are_no_matter() -> None:
    check_limits([planned(max_memory=10**9), planned(timeout=1.0), planned()])


def test_a_limit_that_cannot_be_kept_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gradcheck_cli.suite.memory._PROC", tmp_path)
    check_limits([planned(timeout=1.0), planned()])
    with pytest.raises(UsageError, match="does not tell what memory a process uses"):
        check_limits([planned(), planned(max_memory=10**9)])


# --------------------------------------------------------------------------- the config


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    return tmp_path


def test_the_nearest_config_is_named_from_here(repository: Path) -> None:
    (repository / "gradcheck.yaml").touch()
    assert config_file(None, False) == Path("../../gradcheck.yaml")
    Path("gradcheck.yaml").touch()
    assert config_file(None, False) == Path("gradcheck.yaml")


def test_there_may_be_none(repository: Path) -> None:
    assert config_file(None, False) is None


def test_the_one_that_is_named_is_taken_whether_or_not_it_is_there(repository: Path) -> None:
    (repository / "gradcheck.yaml").touch()
    assert config_file("other.yaml", False) == Path("other.yaml")


def test_none_is_taken_where_none_is_wanted(repository: Path) -> None:
    Path("gradcheck.yaml").touch()
    assert config_file(None, True) is None


def test_both_are_one_too_many() -> None:
    with pytest.raises(UsageError, match="--config and --no-config are both given"):
        config_file("other.yaml", True)


# --------------------------------------------------------------------------- the frame of a command

Ran = tuple[int, str, str]


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(work: Callable[[], Any], asked: OutputOptions | None = None, **more: Any) -> Ran:
        with pytest.raises(typer.Exit) as ended:
            finish(asked or OutputOptions(), "m.py", work, **more)
        caught = capsys.readouterr()
        return ended.value.exit_code, caught.out, caught.err

    return run


def raising(error: BaseException) -> Callable[[], Report]:
    def work() -> Report:
        raise error

    return work


@pytest.mark.parametrize(("make", "code"), [(healthy, 0), (vanishing, 1), (failed, 2), (mixed, 2)])
def test_the_exit_code_is_that_of_the_report(ran: Callable[..., Ran], make: Callable[[], Any], code: int) -> None:
    found, out, err = ran(make, OutputOptions(format="json"))
    assert (found, json.loads(out)["exit_code"], err) == (code, code, "")
    assert ran(make, verdict=False)[0] == 0


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            TargetError("m.py: there is no model", hint="Name one."),
            2,
            "error: m.py: there is no model\nhint: Name one.\n",
        ),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (Signalled(15), 143, "error: interrupted\n"),
        (Interrupted("interrupted", number=1), 129, "error: interrupted\n"),
    ],
    ids=repr,
)
def test_what_is_raised_is_told_once_and_has_its_code(
    ran: Callable[..., Ran], error: BaseException, code: int, told: str
) -> None:
    assert ran(raising(error)) == (code, "", told)


def test_a_fault_of_ours_is_called_one(ran: Callable[..., Ran]) -> None:
    code, out, err = ran(raising(ZeroDivisionError("oops")))
    assert (code, out) == (2, "")
    assert err.startswith("error: internal error: ZeroDivisionError: oops\n")


def test_the_traceback_is_for_those_who_ask(ran: Callable[..., Ran]) -> None:
    assert "Traceback" not in ran(raising(ValueError("x")))[2]
    assert ran(raising(ValueError("x")), OutputOptions(debug=True))[2].startswith("Traceback")


def test_a_report_on_stderr_is_styled_for_it_and_begins_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = Terminal(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stderr", errors)
    with pytest.raises(typer.Exit):
        finish(OutputOptions(), "m.py", healthy, stream=errors)
    text = errors.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert text.startswith("\n") and text.isascii() and "\x1b[" in text


def test_the_failure_is_as_the_command_says(ran: Callable[..., Ran]) -> None:
    failing = ran(
        raising(GradcheckError("it is broken")), OutputOptions(format="json"), failing=lambda error: vanishing()
    )
    code, out, _ = failing
    assert (code, json.loads(out)["name"]) == (2, vanishing().name)


@pytest.mark.parametrize("format", FORMATS)
def test_a_failure_is_a_document_too_but_for_a_table(ran: Callable[..., Ran], format: str) -> None:
    code, out, err = ran(raising(GradcheckError("it is broken")), OutputOptions(format=format))
    assert (code, err) == (2, "error: it is broken\n")
    assert ("it is broken" in out) is (format != "table")


def test_a_failure_is_written_to_every_file_under_the_name_that_was_given(
    ran: Callable[..., Ran], tmp_path: Path
) -> None:
    file, table = tmp_path / "r.json", tmp_path / "r.txt"
    ran(raising(GradcheckError("it is broken")), OutputOptions(outputs=(f"json={file}", f"table={table}")))
    saved = json.loads(file.read_text())
    assert (saved["name"], saved["status"], saved["error"]) == ("m.py", "failed", "it is broken")
    assert "it is broken" in table.read_text()


@pytest.mark.parametrize(
    "asked",
    [
        OutputOptions(format="jsn"),
        OutputOptions(outputs=("json",)),
        OutputOptions(outputs=("json=/none/r.json",)),
        OutputOptions(outputs=("x=y",)),
    ],
    ids=lambda asked: asked.format + "".join(asked.outputs),
)
def test_outputs_are_looked_at_before_any_work_is_done(ran: Callable[..., Ran], asked: OutputOptions) -> None:
    done: list[int] = []
    code, out, err = ran(lambda: done.append(1), asked)
    assert (code, out, done) == (2, "", [])
    assert err.startswith("error: --")


def test_a_file_that_cannot_be_written_in_the_end_is_2_and_said_in_the_document(
    ran: Callable[..., Ran], tmp_path: Path
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()

    def work() -> Report:
        folder.rmdir()
        return healthy()

    code, out, err = ran(work, OutputOptions(format="json", outputs=(f"json={folder}/r.json",)))
    assert (code, json.loads(out)["exit_code"]) == (2, 2)
    assert "cannot be written" in err and "cannot be written" in json.loads(out)["error"]


@pytest.mark.parametrize("work", [healthy, raising(GradcheckError("x"))], ids=["done", "failed"])
def test_others_are_off_stdout_until_the_document_is_written(
    ran: Callable[..., Ran], work: Callable[[], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    write = options.emit
    monkeypatch.setattr(options, "emit", lambda *given: (order.append("document"), write(*given)))

    @contextmanager
    def quiet():
        order.append("quiet")
        yield
        order.append("loud")

    ran(work, OutputOptions(format="json"), quiet=quiet())
    assert order == ["quiet", "document", "loud"]
