from dataclasses import replace

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.report import Finding, Remedy
from gradcheck_cli.records.timeline import Alarm, AlarmKind, Outcome, Overhead, Point, Timeline, Use
from gradcheck_cli.reports import Style
from gradcheck_cli.reports.runwords import (
    alarm_line,
    alarm_place,
    diagnosis_place,
    is_explained,
    passed,
    run_facts,
    run_verdict,
    says_something,
    script_end,
    series_label,
    uses_in_words,
    worth_showing,
)
from tests.timeline.sessions import BACKWARD, LINE, Session, entry, judged, nan, process, raised

BARE = Timeline(command=("a.py",), status=Status.HEALTHY, exit_code=0, steps=1)


def test_facts_are_those_that_are_known() -> None:
    assert run_facts(BARE) == ["1 step"]
    whole = replace(BARE, steps=120, ranks=2, seconds={"total": 3.1}, overhead=Overhead(ms_per_step=0.4, percent=1.2))
    assert run_facts(whole) == [
        "120 steps",
        "3.1 s",
        "2 processes",
        "watching adds 1.2 % to 33.3 ms a step",
    ]


def test_verdicts() -> None:
    assert run_verdict(BARE) == ["healthy", "1 step"]
    assert run_verdict(replace(BARE, status=Status.UNKNOWN, steps=0)) == ["unknown: no step was seen"]
    assert run_verdict(replace(BARE, status=Status.UNKNOWN)) == ["unknown: the watcher stepped aside"]
    assert run_verdict(replace(BARE, status=Status.FAILED)) == ["could not be watched"]
    assert run_verdict(nan().timeline())[0] == "2 errors"


def test_places() -> None:
    run = nan().timeline()
    assert alarm_place(run.alarms[0], run) == ["step 73 of 160", "nonfinite", "train.py:23", "row 6"]
    assert diagnosis_place(run.diagnoses[0], run) == ["step 1 of 160", "the first step"]
    told = alarm_place(replace(run.alarms[0], rank=1, micro_batch=2, samples=(1, 3)), replace(run, ranks=2))
    assert told[3:] == ["rank 1", "micro-batch 2", "rows 1, 3"]


def test_the_line_to_look_at_is_the_culprits_and_else_where_the_backward_pass_was_started() -> None:
    alarm = nan().timeline().alarms[0]
    own, culprit = alarm.report.findings
    assert alarm_line(alarm) == culprit.source == LINE
    of_the_optimizer = replace(own, source=replace(LINE, line=7))
    assert alarm_line(_with(alarm, of_the_optimizer)) == of_the_optimizer.source
    assert alarm_line(_with(alarm, own, replace(culprit, source=None))) == BACKWARD
    assert alarm_line(replace(_with(alarm, own), source=None)) == BACKWARD
    place = alarm_place(alarm, nan().timeline(), line=False)
    assert place == ["step 73 of 160", "nonfinite", "row 6"]


def test_a_rate_that_rose_is_told_with_its_own_cure_whatever_the_step_shows_by_then() -> None:
    alarm = nan().timeline().alarms[0]
    own, culprit = alarm.report.findings
    lower = Remedy(id="lower-lr", title="a lower peak", detail="of the rate")
    rose = replace(own, remedies=(lower,), evidence={**own.evidence, "rate_risen": 0.1})
    assert is_explained(alarm) and is_explained(_with(alarm, replace(own, remedies=(lower,)), culprit))
    assert not is_explained(_with(alarm, rose, culprit))
    assert is_explained(_with(alarm, rose, replace(culprit, remedies=(lower,)))), "it is told there"


def _with(alarm: Alarm, *findings: Finding) -> Alarm:
    return replace(alarm, report=replace(alarm.report, findings=findings))


def test_an_alarm_that_is_none_is_one_line() -> None:
    run = nan().timeline()
    assert passed(run.alarms[0]).startswith("step 73 · nonfinite · not shown: ")


def test_a_fault_of_the_loop_that_passed_is_told_with_when() -> None:
    ignored = raised(AlarmKind.LOOP, 3, "they change nothing", code="GC680", since=3)  # type: ignore[arg-type]
    over = replace(judged(ignored, Outcome.RECOVERED), told="at step 16 that was over")
    run = Session((process(raised=(entry(ignored),)),), (over,)).timeline()
    told = passed(run.alarms[0])
    assert told.startswith("step 3 · loop · recovered: they change nothing; ")
    assert told.endswith("; at step 16 that was over")
    again = replace(over, told="they change nothing; at step 16 that was over")
    assert passed(Session((process(raised=(entry(ignored),)),), (again,)).timeline().alarms[0]) == told


def test_the_end_of_a_script_is_told_where_it_is_not_well() -> None:
    assert script_end(BARE) == script_end(replace(BARE, script_exit=0)) == []
    assert script_end(replace(BARE, script_exit=139)) == ["the script ended with 139"]


def test_series() -> None:
    assert [series_label(n) for n in ("loss", "grad_norm/1", "scale", "other")] == [
        "loss",
        "|grad| of optimizer 1",
        "loss scale",
        "other",
    ]
    still = [Point(1, 2.0, 2.0, 2.0), Point(2, 2.0, 2.0, 2.0)]
    assert worth_showing("loss", still, Style()) and not worth_showing("scale", still, Style())
    assert not worth_showing("skipped", still, Style(verbose=True)) and not says_something("skipped", still)
    assert worth_showing("scale", still, Style(verbose=True)) and not worth_showing("loss", [], Style())


def test_what_a_script_does_is_told_by_optimiser() -> None:
    plain = Use(kind="SGD", updates=3, first_rate=0.1, last_rate=0.1, passes=3)
    whole = Use(
        kind="AdamW",
        updates=10,
        first_rate=0.01,
        last_rate=1e-5,
        rates=7,
        passes=40,
        clipped=5,
        clip_limit=2.5,
        scaled=True,
        skipped=1,
        autocast="float16",
        rows=32,
        frozen=0.12,
    )
    assert uses_in_words(replace(BARE, optimizers=(plain,))) == ["SGD, lr 0.1"]
    assert uses_in_words(replace(BARE, optimizers=(plain, replace(whole, optimizer=1)))) == [
        "optimizer 0: SGD, lr 0.1",
        "optimizer 1: AdamW, lr 0.01 to 1e-05 (7 changes), batch 32, 4 backward passes an update, clipped to a norm of "
        "2.5 at 50% of its updates, GradScaler, 1 update skipped, autocast float16, 12% of the weights frozen",
    ]
    assert uses_in_words(BARE) == []
