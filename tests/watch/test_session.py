"""The session file: what was said is not lost, what was not finished is not read, and the script is not disturbed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.retrying import Held, Retried, UpdateChange, UpdateVariant
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Cost, LayerSample, RaisedEntry, Sample, Stopped
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import AlarmKind, Diagnosed, Raised, Replay, Vital, Why
from gradcheck_cli.watch import session
from gradcheck_cli.watch.session import Session, read_options, write_options
from gradcheck_cli.watch.sessionreader import read
from tests.reports.examples import vanishing

RAISED = Raised(kind=AlarmKind.NONFINITE, step=2, optimizer=0, message="loss is NaN", evidence={"loss": math.inf})


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path)


def test_no_file_is_made_before_anything_is_said(folder: str) -> None:
    Session(folder)
    assert not any(Path(folder).iterdir())


def test_everything_that_is_said_is_read_back(folder: str) -> None:
    said = Session(folder)
    said.vital(Vital(step=1, loss=0.1, grad_norm=1e-300))
    said.vital(Vital(step=2, optimizer=1, optimizer_step=1, loss=math.inf, finite=False, scale=65536.0, skipped=True))
    entry = RaisedEntry(
        raised=RAISED,
        micro_batch=3,
        optimizer_step=2,
        source=SourceLine(file="train.py", line=41),
        replay=Replay.EXACT,
        samples=(5,),
        report=vanishing(),
    )
    fields = ("micro_batch", "optimizer_step", "source", "replay", "reason", "samples", "report")
    said.say("raised", raised=RAISED, **{name: getattr(entry, name) for name in fields})
    said.say("diagnosed", step=1, why=Why.FIRST, replay=Replay.EXACT, report=vanishing())
    said.say("diagnosed", step=7, why=Why.AT, replay=Replay.IMPOSSIBLE, reason="it used a file", report=None)
    said.say("layers", step=2, relative_gradient={"a": 0.5, "b": None})
    for _ in range(2):
        said.say("note", text="no loss could be had")
    said.say("cost", steps=1, watching=0.1, total=2.0, diagnoses=0.0)
    said.say("cost", steps=2, watching=0.2, total=4.0, diagnoses=1.0)
    tried = UpdateVariant(change=UpdateChange.CLIPPED, amount=1.0, share=0.1, loss=math.inf, size=0.5)
    retried = Retried(step=2, loss=0.1, tried=(tried,), held=Held(step=1, loss=0.1, now=None), passes=3)
    said.say("retried", retried=retried)
    said.say("stopped", step=2, why="steps")
    said.say("aside", text="ValueError: oops")
    (process,) = read(folder)
    assert (process.pid, process.rank, process.world) == (os.getpid(), 0, 1)
    assert process.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert process.vitals == (
        Vital(step=1, loss=0.1, grad_norm=1e-300),
        Vital(step=2, optimizer=1, optimizer_step=1, loss=math.inf, finite=False, scale=65536.0, skipped=True),
    )
    assert process.raised == (entry,)
    assert process.diagnosed == (Diagnosed(step=1, why=Why.FIRST, replay=Replay.EXACT, report=vanishing()),)
    assert process.layers == (LayerSample(step=2, relative_gradient={"a": 0.5, "b": None}),)
    assert process.notes == ("step 7 was not diagnosed: it used a file", "no loss could be had")
    assert process.cost == Cost(steps=2, watching=0.2, total=4.0, diagnoses=1.0)
    assert process.retried == (retried,)
    assert process.stopped == Stopped(step=2, why="steps")
    assert process.aside == "ValueError: oops"


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.none() | st.floats(allow_nan=False)), max_size=5))
def test_numbers_come_back_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[tuple[float, float]]
) -> None:
    folder = str(tmp_path_factory.mktemp("session"))
    said = Session(folder)
    vitals = tuple(Vital(step=i + 1, loss=loss, grad_norm=norm) for i, (loss, norm) in enumerate(numbers))
    for vital in vitals:
        said.vital(vital)
    said.flush()
    assert tuple(vital for process in read(folder) for vital in process.vitals) == vitals


def test_what_is_as_usual_is_not_written(folder: str) -> None:
    Session(folder).vital(Vital(step=4, loss=0.25))
    (file,) = Path(folder).iterdir()
    assert json.loads(file.read_text().splitlines()[-1]) == ["vital", {"step": 4, "loss": 0.25}]


def test_what_is_read_at_every_step_waits_for_a_fifth_of_a_second_at_most(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [10.0]
    monkeypatch.setattr(session, "perf_counter", lambda: now[0])
    said = Session(folder)

    def written() -> list[int]:
        return [vital.step for process in read(folder) for vital in process.vitals]

    said.vital(Vital(step=1))
    assert written() == [1], "the first one does not wait"
    said.vital(Vital(step=2))
    assert written() == [1]
    now[0] += 0.25
    said.vital(Vital(step=3))
    assert written() == [1, 2, 3]
    said.vital(Vital(step=4))
    said.say("note", text="what is not read at every step does not wait, nor what came before it")
    assert written() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "torn", [b'["vital",{"step":2,"lo', b"\0\0\0\0", b'["vital",{"step":"x"}]\n', b'["new",{}]\n[3]\n']
)
def test_lines_that_make_no_sense_are_passed_over(folder: str, torn: bytes) -> None:
    said = Session(folder)
    said.vital(Vital(step=1))
    (file,) = Path(folder).iterdir()
    with file.open("ab") as stream:
        stream.write(torn)
    (process,) = read(folder)
    assert process.vitals == (Vital(step=1),)
    assert [("disk full" in note) for note in process.notes] == [True] * (not torn.endswith(b"\n"))


def test_a_script_that_replaces_what_we_need_is_told_all_the_same(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "dumps", lambda *args, **kwargs: "patched")
    Session(folder).vital(Vital(step=1))
    (process,) = read(folder)
    assert process.vitals == (Vital(step=1),)


def test_a_file_without_a_beginning_is_nobodys(folder: str) -> None:
    Path(folder, "7-x.jsonl").write_text('["vital", {"step": 1}]\n')
    Path(folder, "8-x.jsonl").write_text("")
    assert read(folder) == ()


def test_a_forked_child_has_a_file_of_its_own(folder: str) -> None:
    said = Session(folder)
    said.vital(Vital(step=1))
    if (child := os.fork()) == 0:
        said.vital(Vital(step=1, loss=2.0))
        os._exit(0)
    os.waitpid(child, 0)
    said.vital(Vital(step=2))
    said.flush()
    vitals = {process.pid: process.vitals for process in read(folder)}
    assert vitals == {os.getpid(): (Vital(step=1), Vital(step=2)), child: (Vital(step=1, loss=2.0),)}


def test_a_script_that_closes_all_files_gets_none_of_ours(folder: str, tmp_path: Path) -> None:
    code = """
import os, sys
from gradcheck_cli.records.timeline import Vital
from gradcheck_cli.watch.session import Session
said = Session(sys.argv[1])
said.vital(Vital(step=1))
os.closerange(3, 64)
files = [os.open(f"{sys.argv[1]}/own{i}", os.O_CREAT | os.O_WRONLY) for i in range(5)]
said.vital(Vital(step=2))
said.flush()
"""
    subprocess.run([sys.executable, "-c", code, folder], check=True)
    assert [path.stat().st_size for path in tmp_path.glob("own*")] == [0] * 5
    assert [len(process.vitals) for process in read(folder)] == [2]


def test_what_cannot_be_written_is_lost_in_silence(folder: str) -> None:
    said = Session(f"{folder}/gone")
    said.vital(Vital(step=1))
    (process,) = read(f"{folder}/gone")
    assert process.aside == f"the folder of its session, {folder}/gone, was deleted while the script ran"


def test_ranks_in_their_order_by_what_launchers_set(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for rank in (10, 2, 0):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "11")
        Session(folder).vital(Vital(step=1))
    assert [(process.rank, process.world) for process in read(folder)] == [(0, 11), (2, 11), (10, 11)]
    monkeypatch.setenv("RANK", "first")
    assert (session.opening().rank, session.opening().world) == (0, 1)


def test_the_rank_is_by_torch_where_it_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    class Distributed:
        is_available = is_initialized = staticmethod(lambda: True)
        get_rank = staticmethod(lambda: 3)
        get_world_size = staticmethod(lambda: 4)

    monkeypatch.setenv("RANK", "1")
    monkeypatch.setitem(sys.modules, "torch.distributed", Distributed)  # type: ignore[arg-type]
    assert (session.opening().rank, session.opening().world) == (3, 4)


def test_a_process_that_could_not_be_watched_says_why(folder: str) -> None:
    Path(folder, "77.note").write_text("ImportError: gradcheck is gone\n")
    (process,) = read(folder)
    assert (process.pid, process.vitals, process.aside) == (77, (), "ImportError: gradcheck is gone")


def test_what_was_asked_is_read_as_it_was_written(folder: str) -> None:
    asked = RunOptions(command=("train.py", "-h"), at=("12", "1:40"), budget=0.5, save_batch="/b", select=("GC1",))
    write_options(folder, asked)
    assert read_options(folder) == asked


def test_nothing_but_the_standard_library_is_imported() -> None:
    code = "import sys; import gradcheck_cli.watch.session; print(*{name.partition('.')[0] for name in sys.modules})"
    names = set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())
    assert names - set(sys.stdlib_module_names) - {"__main__", "sitecustomize", "_distutils_hack"} <= {"gradcheck_cli"}


@pytest.mark.parametrize("copies", [None, {}, {"0": 0.5}])
def test_that_nothing_was_found_is_told_and_not_the_same_as_that_nobody_looked(
    tmp_path: Path, copies: dict[str, float] | None
) -> None:
    session = Session(str(tmp_path))
    session.sample(Sample(step=3, copies=copies))
    session.flush()
    (process,) = read(str(tmp_path))
    assert [each.copies for each in process.samples] == [copies]
