from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import FailOn, Severity, Status
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Cost, Stopped
from gradcheck_cli.records.timeline import AlarmKind, Outcome, Overhead, Timeline
from gradcheck_cli.timeline import assembled
from tests.timeline.sessions import (
    SESSIONS,
    Session,
    asked,
    blown,
    ddp,
    falling,
    healthy,
    judged,
    nan,
    process,
    raised,
    vitals,
)


@pytest.mark.parametrize(
    ("example", "status", "code"),
    [
        ("healthy", Status.HEALTHY, 0),
        ("layered", Status.HEALTHY, 0),
        ("nan", Status.ILL, 1),
        ("recovered", Status.HEALTHY, 0),
        ("opened", Status.HEALTHY, 0),
        ("blown", Status.ILL, 1),
        ("ddp", Status.ILL, 1),
        ("unseen", Status.UNKNOWN, 2),
        ("aside", Status.FAILED, 2),
        ("asked", Status.ILL, 1),
    ],
)
def test_status_and_exit_code(example: str, status: Status, code: int) -> None:
    run = SESSIONS[example]().timeline()
    assert (run.status, run.exit_code, run.ok) == (status, code, code == 0)


@pytest.mark.parametrize(("script", "code"), [(0, 1), (3, 3), (139, 139)])
def test_the_scripts_own_exit_code_comes_first(script: int, code: int) -> None:
    run = replace(nan(), script_exit=script).timeline()
    assert (run.exit_code, run.script_exit) == (code, script)


def test_what_a_script_left_that_is_not_finite_counts_only_where_it_failed() -> None:
    (whole,) = nan().processes
    at = whole.raised[0].raised.step
    run = replace(nan(), processes=(replace(whole, left=at - 1),))
    assert [alarm.step for alarm in replace(run, script_exit=1).timeline().alarms] == [at]
    ended_well = replace(run, script_exit=0).timeline()
    assert (ended_well.status, ended_well.steps, ended_well.alarms) == (Status.HEALTHY, at - 1, ())


def test_nothing_below_fail_on_fails() -> None:
    options = RunOptions(command=("train.py",), fail_on=FailOn.NEVER)
    assert replace(nan(), options=options).timeline().exit_code == 0


def test_a_script_that_was_ended_has_no_exit_code_of_its_own() -> None:
    stopped = Session((process(stopped=Stopped(step=160, why="steps")),), script_exit=1)
    assert (stopped.timeline().script_exit, stopped.timeline().exit_code) == (None, 0)
    assert asked().timeline().script_exit is None


def test_a_watcher_that_stepped_aside_after_some_steps_calls_nothing_healthy() -> None:
    run = Session((process(aside="no tape"),)).timeline()
    assert (run.status, run.exit_code, run.error) == (Status.UNKNOWN, 2, "")
    assert nan(aside="no tape").timeline().status is Status.ILL


def test_a_watcher_that_never_saw_a_step_says_why() -> None:
    run = SESSIONS["aside"]().timeline()
    assert run.error == "no step was seen: the watcher stepped aside: RuntimeError: no tape [red]"


def test_the_curves_are_those_of_the_first_rank() -> None:
    run = ddp().timeline()
    assert (run.ranks, run.steps) == (2, 80)
    assert len(run.series["loss"]) == 80
    assert [alarm.rank for alarm in run.alarms] == [1]
    assert len(run.diagnoses) == 1


def test_of_several_scripts_the_longest_has_the_curves() -> None:
    run = Session((process(vitals=vitals(falling(30))), process())).timeline()
    assert (run.steps, run.ranks, len(run.series["loss"])) == (160, 2, 160)
    assert len(run.diagnoses) == 2


def test_a_run_that_blew_up_is_explained_by_its_first_step() -> None:
    run = blown().timeline()
    (alarm,) = run.alarms
    assert [finding.cause for finding in alarm.report.findings] == ["large-init", "large-init", "unknown"]
    assert run.diagnoses[0].report.findings[0].severity is Severity.ERROR


def test_what_watching_cost() -> None:
    run = healthy().timeline()
    assert run.overhead is not None
    assert run.overhead.ms_per_step == pytest.approx(0.4)
    assert run.overhead.percent == pytest.approx(100 * 0.064 / 6.0)
    assert run.seconds == {"total": 7.9, "diagnoses": 0.4}
    assert Session((process(cost=None),)).timeline().overhead is None
    tiny = Session((process(cost=Cost(steps=20, watching=2.0, total=2.0)),)).timeline()
    assert tiny.overhead == Overhead(ms_per_step=100.0, percent=0.0)
    few = Session((process(cost=Cost(steps=19, watching=2.0, total=2.0)),)).timeline()
    assert few.overhead is None


def test_versions() -> None:
    versions = healthy().timeline().versions
    assert list(versions) == ["gradcheck", "torch", "python"]


def test_alarms_are_judged_by_the_vitals_unless_told_otherwise() -> None:
    made = nan().processes[0]
    run = assembled((made,), RunOptions(command=("train.py",)), 0, 1.0)
    assert [alarm.step for alarm in run.alarms] == [73]
    assert run.alarms[0].samples == (6,)


@pytest.mark.parametrize("example", SESSIONS)
def test_everything_has_its_place(example: str) -> None:
    run: Timeline = SESSIONS[example]().timeline()
    assert [alarm.step for alarm in run.alarms] == sorted(alarm.step for alarm in run.alarms)
    assert run.reports == tuple(each.report for each in (*run.alarms, *run.diagnoses))


def test_of_very_many_alarms_those_that_stand_are_told_and_the_first_of_the_others() -> None:
    one = process(vitals=vitals(falling(400)))
    alarms = [raised(AlarmKind.LOSS_SPIKE, step, "the loss jumped") for step in range(1, 301)]
    outcomes = [Outcome.CONFIRMED if alarm.step == 290 else Outcome.RECOVERED for alarm in alarms]
    judgements = tuple(map(judged, alarms, outcomes))
    run = assembled([one], RunOptions(command=("train.py",)), 0, 1.0, lambda process: judgements)
    assert [alarm.step for alarm in run.alarms] == [*range(1, 200), 290]
    assert run.notes[-1] == "100 more alarms are left out, so that the report stays readable"
