import re

import pytest
from rich.cells import cell_len

from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports import Style, render
from tests.reports.examples import SUITES, failed, healthy, named, suite_of, vanishing
from tests.reports.golden import compare


def table(suite: SuiteReport, **style: object) -> str:
    return render(suite, "table", Style(**{"width": 80, **style}))  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("example", SUITES)
def test_suitetable(example: str, width: int) -> None:
    compare(f"test_suitetable-{example}-{width}", table(SUITES[example](), width=width))


@pytest.mark.parametrize("example", SUITES)
@pytest.mark.parametrize("width", [1, *range(20, 60, 3), 79, 99, 199])
def test_no_width_crashes_or_is_exceeded(example: str, width: int) -> None:
    for unicode in (False, True):
        text = table(SUITES[example](), width=width, color=True, verbose=unicode, unicode=unicode)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert max(cell_len(line) for line in plain.splitlines()) <= max(20, width)
        assert unicode or plain.isascii()


def test_quiet_shows_what_fails_and_the_last_line() -> None:
    assert table(SUITES["well"](), quiet=True) == "3 checks: 1 unknown, 2 ok · 4.2 s · exit 0\n"
    text = table(SUITES["mixed"](), quiet=True)
    assert "native_op" in text
    assert "mlp" not in text


def test_the_last_screen_names_what_failed() -> None:
    checks = [named(f"ok{i}", healthy) for i in range(200)]
    lines = table(suite_of(named("broken", failed), named("sick", vanishing), *checks)).splitlines()
    assert any(line.startswith("failed  broken") for line in lines[-12:])
    assert lines[-1].endswith("exit 2")


def test_one_line_a_check_where_names_are_short() -> None:
    lines = table(suite_of(*(named(f"net{i}", vanishing) for i in range(50)))).splitlines()
    assert sum("ill      net" in line for line in lines) == 50
    assert max(i for i, line in enumerate(lines) if line.startswith("  ill      net")) == 52


def test_users_strings_are_text() -> None:
    text = table(SUITES["hostile"](), width=120)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\ud800-\udfff]", text)
    assert r"a\nb|`]]>::error::</script>" in text
