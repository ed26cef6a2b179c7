from collections import Counter
from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import Severity, Status
from gradcheck_cli.records.timeline import AlarmKind, Timeline, Why
from gradcheck_cli.reports.runreport import at_a_glance, is_explained, run_report, told_once, unrepeated
from gradcheck_cli.reports.verdicts import CheckVerdict, finding_key, serious, verdict, worst_in_words
from tests.timeline.sessions import SESSIONS, blown, healthy, nan


@pytest.mark.parametrize("example", SESSIONS)
def test_every_finding_is_told_once_with_its_step(example: str) -> None:
    run = SESSIONS[example]().timeline()
    report = run_report(run)
    found = {finding_key(f) for each in run.reports for f in each.findings}
    assert len(report.findings) == len(found)
    assert all(finding.message.startswith("step ") for finding in report.findings)
    assert max(Counter(map(finding_key, report.findings)).values(), default=1) == 1
    assert (report.exit_code, report.name) == (run.exit_code, " ".join(run.command))


def test_a_remedy_is_told_by_the_finding_that_explains() -> None:
    alarm = next(alarm for alarm in nan().timeline().alarms if is_explained(alarm))
    own, explaining = serious(unrepeated(alarm))[:2]
    assert own.remedies == () and serious(alarm.report)[0].remedies == explaining.remedies != ()


def test_an_alarm_that_nothing_explains_keeps_its_remedies() -> None:
    alarm = nan().timeline().alarms[0]
    alone = replace(alarm, report=replace(alarm.report, findings=alarm.report.findings[:1]))
    assert not is_explained(alone) and unrepeated(alone) is alone.report


def test_steps_that_were_asked_for_are_told_without_a_finding() -> None:
    run = healthy().timeline()
    first = run.diagnoses[0]
    assert list(told_once(replace(run, diagnoses=(first,)))) == []
    asked = replace(first, why=Why.AT)
    assert [report.name for _, report in told_once(replace(run, diagnoses=(asked,)))] == [first.report.name]


def test_what_was_told_of_one_step_is_not_told_of_the_next() -> None:
    run = nan().timeline()
    again = replace(run.alarms[0], step=run.alarms[0].step + 1)
    assert len(list(told_once(replace(run, alarms=(run.alarms[0], again))))) == len(list(told_once(run)))


@pytest.mark.parametrize(
    ("run", "error", "kind"),
    [
        (Timeline(command=("a.py",), status=Status.HEALTHY, exit_code=3, script_exit=3), "with 3", CheckVerdict.FAILED),
        (Timeline(command=("a.py",), status=Status.UNKNOWN, exit_code=2, notes=("none",)), "none", CheckVerdict.FAILED),
        (Timeline(command=("a.py",), status=Status.UNKNOWN, exit_code=2), "no step was seen", CheckVerdict.FAILED),
        (
            Timeline(command=("a.py",), status=Status.FAILED, exit_code=2, error="no file"),
            "no file",
            CheckVerdict.FAILED,
        ),
        (Timeline(command=("a.py",), status=Status.HEALTHY, exit_code=0, steps=3), "", CheckVerdict.OK),
    ],
)
def test_a_script_that_failed_is_an_error(run: Timeline, error: str, kind: CheckVerdict) -> None:
    report = run_report(run)
    assert error in report.error and bool(report.error) == bool(error)
    assert verdict(report) is kind


def test_a_script_that_is_ill_and_failed_is_ill() -> None:
    run = replace(blown().timeline(), script_exit=1)
    report = run_report(run)
    assert (report.status, report.error) == (Status.ILL, "the script ended with 1")
    assert verdict(report) is CheckVerdict.ILL and worst_in_words(report).startswith(report.findings[0].code)
    assert any(f.severity is Severity.ERROR for f in report.findings)


def test_a_reader_sees_first_what_explains_the_first_step_that_went_wrong() -> None:
    run = nan().timeline()
    found = at_a_glance(run)
    explaining = serious(run.alarms[0].report)[1]
    assert found is not None and found.finding is explaining and found.source == explaining.source
    assert found.remedy == explaining.remedies[0] and found.place[0].startswith(f"step {run.alarms[0].step} of")
    assert not any(":" in part for part in found.place)


def test_a_fault_of_the_loop_is_seen_before_what_it_leads_to() -> None:
    run = nan().timeline()
    fault = replace(run.alarms[0], kind=AlarmKind.LOOP, step=99)
    found = at_a_glance(replace(run, alarms=(*run.alarms, fault)))
    assert found is not None and found.place[0].startswith("step 99 of")


def test_a_run_that_is_well_has_nothing_to_see_first() -> None:
    assert at_a_glance(healthy().timeline()) is None
