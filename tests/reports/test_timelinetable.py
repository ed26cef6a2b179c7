import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.timeline import Diagnosed, Point, Replay, Timeline, Why
from gradcheck_cli.reports import Style, render
from tests.reports.golden import compare
from tests.timeline.sessions import SESSIONS, Session, blown, exploding, falling, nan, process, step_report, vitals


def table(run: Timeline, **style: object) -> str:
    return render(run, "table", Style(**{"width": 80, **style}))  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("example", SESSIONS)
def test_timelinetable(example: str, width: int) -> None:
    compare(f"test_timelinetable-{example}-{width}", table(SESSIONS[example]().timeline(), width=width))


def test_verbose() -> None:
    compare("test_timelinetable_verbose-80", table(nan().timeline(), verbose=True))


@pytest.mark.parametrize("example", SESSIONS)
@pytest.mark.parametrize("width", [1, 20, 33, 47, 79, 199])
def test_no_width_crashes_or_is_exceeded(example: str, width: int) -> None:
    for unicode in (False, True):
        text = table(SESSIONS[example]().timeline(), width=width, color=True, verbose=unicode, unicode=unicode)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert max(cell_len(line) for line in plain.splitlines()) <= max(20, width)
        assert unicode or plain.isascii()


def test_the_first_screen_answers_what_why_and_what_to_do() -> None:
    lines = table(nan().timeline()).splitlines()
    assert len(lines) <= 24
    text = "\n".join(lines)
    assert "step 73 of 160 · nonfinite · train.py:23 · row 6" in text
    assert "train.py:23  return ((a - b) ** 2).sum(1).sqrt()" in text
    assert "1. a small eps under the root" in text
    assert lines[-1] == "2 errors · GC630 nonfinite · 1 layer GC104 backward-origin · exit 1"


def test_a_healthy_run_takes_a_few_lines() -> None:
    lines = table(SESSIONS["healthy"]().timeline()).splitlines()
    assert len(lines) <= 8
    assert lines[-1] == "healthy · 160 steps · exit 0"


def test_an_alarm_stands_below_its_step() -> None:
    lines = table(nan().timeline()).splitlines()
    mark = next(line for line in lines if "▲" in line).index("▲")
    assert lines[3][mark] == "×" and lines[3][mark - 1] != "×"
    assert lines[5][mark : mark + 2] == "73"


def test_quiet_shows_the_findings_and_the_last_line() -> None:
    assert table(SESSIONS["healthy"]().timeline(), quiet=True) == "healthy · 160 steps · exit 0\n"
    assert table(SESSIONS["recovered"]().timeline(), quiet=True).count("\n") == 1
    text = table(nan().timeline(), quiet=True)
    assert text.startswith("step 73 of 160")
    assert "GC104 error" in text


def test_what_explains_an_alarm_is_told_once() -> None:
    text = table(blown().timeline())
    assert text.count("GC301 error") == 1
    assert "the first step" not in text


def test_findings_of_the_first_step_that_no_alarm_tells_stand_for_themselves() -> None:
    first = Diagnosed(step=1, why=Why.FIRST, replay=Replay.EXACT, report=step_report(exploding()))
    text = table(Session((process(vitals=vitals(falling(5)), diagnosed=(first,)),)).timeline())
    assert "step 1 of 5 · the first step" in text
    assert "GC301 error" in text
    assert "decades from loss" not in text


def test_verbose_shows_the_layers_of_the_first_step() -> None:
    text = table(SESSIONS["healthy"]().timeline(), verbose=True)
    assert "step 1 of 160 · the first step" in text
    assert "decades from loss" in text


def test_a_step_that_was_asked_for_is_shown_as_a_check_shows_it() -> None:
    text = table(SESSIONS["asked"]().timeline())
    assert "step 12 of 12 · --steps" in text
    assert "decades from loss" in text


def test_the_run_as_second_opinion_is_told_in_a_note() -> None:
    first = Diagnosed(step=1, why=Why.FIRST, replay=Replay.EXACT, report=step_report(exploding(evidence={})))
    text = table(Session((process(diagnosed=(first,)),)).timeline(), width=200)
    assert "— trained: looked extreme at the start, and the run learned: 2.31 -> 0.139" in text


def test_a_loss_scale_is_shown_where_it_moves() -> None:
    assert "loss scale" not in table(SESSIONS["layered"]().timeline())
    assert "loss scale" in table(SESSIONS["layered"]().timeline(), verbose=True)
    moving = tuple(replace(v, scale=1024.0 if v.step < 80 else 512.0) for v in vitals(falling(160)))
    assert "loss scale" in table(Session((process(vitals=moving),)).timeline())


def test_what_is_not_shown_is_counted() -> None:
    options = RunOptions(command=("train.py",), ignore=("GC63",))
    text = table(replace(nan(), options=options).timeline(), width=120)
    assert "GC630" not in text
    last = "1 error · 1 layer GC104 backward-origin · 1 finding not shown (--select, --ignore) · exit 1"
    assert text.endswith(f"\n{last}\n")


def test_how_the_script_ended_is_said() -> None:
    text = table(replace(SESSIONS["healthy"](), script_exit=139).timeline())
    assert text.endswith("healthy · 160 steps · the script ended with 139 · exit 139\n")


def test_several_optimisers_and_micro_batches_are_named() -> None:
    session = nan()
    made = session.processes[0]
    entries = (replace(made.raised[0], optimizer_step=37, micro_batch=3),)
    text = table(replace(session, processes=(replace(made, raised=entries),)).timeline(), width=120)
    assert "step 73 of 160 · nonfinite · train.py:23 · step 37 of optimizer 0 · micro-batch 3 · row 6" in text


def test_users_strings_are_text() -> None:
    text = table(SESSIONS["hostile"]().timeline(), width=120)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]", text)
    assert r"[/b] \x1b[2J" in text


def test_a_peak_above_both_ends_is_told() -> None:
    points = (Point(1, 1.8, 1.8, 1.8), Point(2, 2.0, 40.0, 85.2), Point(3, 1.7, 1.7, 1.7))
    run = Timeline(command=("a.py",), status=Status.HEALTHY, exit_code=0, steps=3, series={"loss": points})
    assert " 1.7 max 85.2" in table(run)
    assert "max" not in table(replace(run, series={"loss": (points[0], points[2])}))
