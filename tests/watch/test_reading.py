"""A session while it is being written."""

from __future__ import annotations

from pathlib import Path

from gradcheck_cli.records.timeline import AlarmKind, Raised, Replay
from gradcheck_cli.watch.following import Following
from gradcheck_cli.watch.session import Session


def raise_at(session: Session, step: int) -> None:
    alarm = Raised(kind=AlarmKind.NONFINITE, step=step, optimizer=0, message="the loss is nan", evidence={})
    session.say("raised", raised=alarm, optimizer_step=step, replay=Replay.IMPOSSIBLE, reason="")


def steps(following: Following) -> list[int]:
    return [entry.raised.step for entry in following.news()]


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
