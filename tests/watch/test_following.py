"""A session while it is being written."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Raised, Replay, Vital
from gradcheck_cli.watch.following import Following
from gradcheck_cli.watch.session import Session


def raise_at(session: Session, step: int) -> None:
    alarm = Raised(kind=AlarmKind.NONFINITE, step=step, optimizer=0, message="the loss is nan", evidence={})
    session.say("raised", raised=alarm, optimizer_step=step, replay=Replay.IMPOSSIBLE, reason="")


def steps(following: Following) -> list[int]:
    return [entry.raised.step for entry in following.news().raised]


def test_each_alarm_is_news_once(tmp_path: Path) -> None:
    session, following = Session(str(tmp_path)), Following(str(tmp_path))
    assert steps(following) == []
    raise_at(session, 3)
    session.say("note", text="nothing")
    assert steps(following) == [3] and steps(following) == []
    raise_at(session, 4)
    raise_at(session, 5)
    assert steps(following) == [4, 5]


def test_a_line_that_is_not_finished_is_news_later(tmp_path: Path) -> None:
    raise_at(Session(str(tmp_path)), 3)
    (path,) = tmp_path.glob("*.jsonl")
    whole = path.read_bytes()
    following = Following(str(tmp_path))
    path.write_bytes(whole[:-5])
    assert steps(following) == []
    path.write_bytes(whole)
    assert steps(following) == [3]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "1-a.jsonl"
    path.write_bytes(b'["raised",{"no":1}]\n["raised",\n\xff\n')
    (tmp_path / "2-b.jsonl").mkdir()
    assert steps(Following(str(tmp_path))) == []
    assert steps(Following(str(tmp_path / "gone"))) == []


def test_what_was_read_is_news_once(tmp_path: Path) -> None:
    session, following = Session(str(tmp_path)), Following(str(tmp_path))
    session.vital(Vital(step=1, loss=2.0))
    session.sample(Sample(step=1, update=0.5))
    session.vital(Vital(step=2, optimizer=1, loss=math.nan))
    session.say("note", text="nothing")
    news = following.news()
    assert [(v.step, v.optimizer) for v in news.vitals()] == [(1, 0), (2, 1)]
    assert [(s.step, s.update) for s in news.samples()] == [(1, 0.5)]
    assert news.latest() == Vital(step=1, loss=2.0)
    later = following.news()
    assert later.lines == () and later.latest() is None and list(later.vitals()) == []


def test_the_curves_are_those_of_the_lowest_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    following = Following(str(tmp_path))
    for rank, loss in ((1, 11.0), (0, 10.0), (0, 99.0)):
        monkeypatch.setenv("RANK", str(rank))
        session = Session(str(tmp_path))
        session.vital(Vital(step=1, loss=loss))
        session.say("note", text="nothing")
        raise_at(session, rank)
        news = following.news()
    assert [vital.loss for vital in news.vitals()] == []
    session.vital(Vital(step=2, loss=98.0))
    raise_at(session, 7)
    news = following.news()
    assert [entry.raised.step for entry in news.raised] == [7] and list(news.vitals()) == []
    fresh = Following(str(tmp_path)).news()
    assert {vital.loss for vital in fresh.vitals()} <= {10.0, 99.0, 98.0}
    assert len(fresh.raised) == 4
