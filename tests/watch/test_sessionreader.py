"""A session while it is being written, and when there is much of it."""

from __future__ import annotations

import math
import resource
from pathlib import Path

import pytest

from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Raised, Replay, Vital
from gradcheck_cli.timeline.events import rejudged
from gradcheck_cli.watch import session as writing
from gradcheck_cli.watch.session import Session
from gradcheck_cli.watch.sessionreader import SessionReader, read


def raise_at(session: Session, step: int) -> None:
    alarm = Raised(kind=AlarmKind.NONFINITE, step=step, optimizer=0, message="the loss is nan", evidence={})
    session.say("raised", raised=alarm, optimizer_step=step, replay=Replay.IMPOSSIBLE, reason="")


def steps(reading: SessionReader) -> list[int]:
    return [entry.raised.step for entry in reading.news().raised]


def test_each_alarm_is_news_once(tmp_path: Path) -> None:
    session, reading = Session(str(tmp_path)), SessionReader(str(tmp_path))
    assert steps(reading) == []
    raise_at(session, 3)
    session.say("note", text="nothing")
    assert steps(reading) == [3] and steps(reading) == []
    raise_at(session, 4)
    raise_at(session, 5)
    assert steps(reading) == [4, 5]
    (process,) = reading.processes()
    assert [entry.raised.step for entry in process.raised] == [3, 4, 5]


def test_a_line_that_is_not_finished_is_news_later(tmp_path: Path) -> None:
    raise_at(Session(str(tmp_path)), 3)
    (path,) = tmp_path.glob("*.jsonl")
    whole = path.read_bytes()
    reading = SessionReader(str(tmp_path))
    path.write_bytes(whole[:-5])
    assert steps(reading) == []
    path.write_bytes(whole)
    assert steps(reading) == [3]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "1-a.jsonl"
    path.write_bytes(b'["raised",{"no":1}]\n["raised",\n\xff\n')
    (tmp_path / "2-b.jsonl").mkdir()
    assert steps(SessionReader(str(tmp_path))) == []
    assert steps(SessionReader(str(tmp_path / "gone"))) == []


def test_a_step_that_may_be_told_once_more_is_left_out_while_the_run_goes_on(tmp_path: Path) -> None:
    session, reading = Session(str(tmp_path)), SessionReader(str(tmp_path))
    for vital in (Vital(step=1, loss=1.0), Vital(step=2, loss=1.0)):
        session.vital(vital)
    session.flush()
    assert [vital.step for vital in reading.processes(over=False)[0].vitals] == [1]
    session.vital(Vital(step=2, loss=float("inf"), finite=False))
    session.flush()
    (process,) = reading.processes()
    assert process.vitals == (Vital(step=1, loss=1.0), Vital(step=2, loss=float("inf"), finite=False))
    assert [judged.raised.step for judged in rejudged(process)] == [2]


def test_the_files_of_a_process_follow_each_other_and_are_deleted_when_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "PART", 1000)
    monkeypatch.setattr(writing, "_WAIT", 0.0)
    session, reading = Session(str(tmp_path)), SessionReader(str(tmp_path))
    for step in range(1, 400):
        session.vital(Vital(step=step, loss=1.0 / step))
        if step == 200:
            assert len(list(tmp_path.iterdir())) > 5
            reading.news()
            assert len(list(tmp_path.iterdir())) == 1
    (process,) = reading.processes()
    assert [vital.step for vital in process.vitals] == list(range(1, 400))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_long_session_is_judged_by_all_of_it_though_not_all_is_kept(tmp_path: Path) -> None:
    session = Session(str(tmp_path))
    for step in range(1, 40_001):
        nan = step == 15_555
        session.vital(Vital(step=step, loss=float("nan") if nan else 1.0, grad_norm=0.5, finite=not nan))
    session.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (process,) = read(str(tmp_path))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(process.vitals) <= 20_000 and process.vitals[-1].step == 40_000
    assert [judged.raised.step for judged in rejudged(process)] == [15_555]
    assert process.whole is not None and process.whole.updates == 40_000
    assert grown < 60_000, "kilobytes"


def test_what_was_read_is_news_once(tmp_path: Path) -> None:
    session, reading = Session(str(tmp_path)), SessionReader(str(tmp_path))
    session.vital(Vital(step=1, loss=2.0))
    session.sample(Sample(step=1, update=0.5))
    session.vital(Vital(step=2, optimizer=1, loss=math.nan))
    session.say("note", text="nothing")
    news = reading.news()
    assert [(v.step, v.optimizer) for v in news.vitals] == [(1, 0), (2, 1)]
    assert [(s.step, s.update) for s in news.samples] == [(1, 0.5)]
    assert news.latest() == Vital(step=1, loss=2.0)
    later = reading.news()
    assert later.latest() is None and list(later.vitals) == []


def test_the_curves_are_those_of_the_lowest_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = SessionReader(str(tmp_path))
    for rank, loss in ((1, 11.0), (0, 10.0), (0, 99.0)):
        monkeypatch.setenv("RANK", str(rank))
        session = Session(str(tmp_path))
        session.vital(Vital(step=1, loss=loss))
        session.say("note", text="nothing")
        raise_at(session, rank)
        news = reading.news()
    assert [vital.loss for vital in news.vitals] == []
    session.vital(Vital(step=2, loss=98.0))
    raise_at(session, 7)
    news = reading.news()
    assert [entry.raised.step for entry in news.raised] == [7] and list(news.vitals) == []
    fresh = SessionReader(str(tmp_path)).news()
    assert {vital.loss for vital in fresh.vitals} <= {10.0, 99.0, 98.0}
    assert len(fresh.raised) == 4


def test_no_news_is_lost_where_the_processes_are_asked_for_in_between(tmp_path: Path) -> None:
    session, reading = Session(str(tmp_path)), SessionReader(str(tmp_path))
    session.vital(Vital(step=1, loss=2.0))
    raise_at(session, 1)
    assert len(reading.processes(over=False)) == 1
    assert steps(reading) == [1] and steps(reading) == []
