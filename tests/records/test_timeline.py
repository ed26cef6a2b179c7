from dataclasses import replace

import pytest

from tests.timeline.sessions import asked, nan


@pytest.mark.parametrize(("code", "ok"), [(0, True), (1, False), (139, False)])
def test_a_run_is_ok_where_nothing_failed(code: int, ok: bool) -> None:
    assert replace(nan().timeline(), exit_code=code).ok is ok


def test_its_reports_are_those_of_its_alarms_and_its_diagnoses() -> None:
    run = nan().timeline()
    assert run.reports == (run.alarms[0].report, run.diagnoses[0].report)
    assert asked().timeline().reports == (asked().processes[0].diagnosed[0].report,)
