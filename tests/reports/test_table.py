import re
import subprocess
import sys

import pytest
from rich.cells import cell_len

from gradcheck_cli.records.choices import Severity, Status
from gradcheck_cli.records.report import Report, Waived
from gradcheck_cli.reports import FORMATS, Style, render
from tests.reports.examples import EXAMPLES, finding, layer, report
from tests.reports.golden import compare


def table(report: Report, **style: object) -> str:
    return render(report, "table", Style(**{"width": 80, **style}))  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("example", EXAMPLES)
def test_table(example: str, width: int) -> None:
    compare(f"test_table-{example}-{width}", table(EXAMPLES[example](), width=width))


@pytest.mark.parametrize("example", ["vanishing", "recurrent", "nan"])
def test_table_verbose(example: str) -> None:
    compare(f"test_table_verbose-{example}", table(EXAMPLES[example](), verbose=True))


@pytest.mark.parametrize("example", ["vanishing", "recurrent", "hostile"])
def test_table_ascii(example: str) -> None:
    text = table(EXAMPLES[example](), unicode=False)
    assert text.isascii()
    compare(f"test_table_ascii-{example}", text)


def test_table_color() -> None:
    text = table(EXAMPLES["vanishing"](), color=True)
    compare("test_table_color", text.replace("\x1b", "<ESC>"))


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("width", [1, *range(20, 40, 3), 59, 60, 69, 79, 99, 199])
def test_no_width_crashes_or_is_exceeded(example: str, width: int) -> None:
    for color in (False, True):
        text = table(EXAMPLES[example](), width=width, color=color, verbose=color and example != "deep")
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert max(cell_len(line) for line in plain.splitlines()) <= max(20, width)


@pytest.mark.parametrize("example", ["deep", "healthy", "nan", "recurrent"])
def test_the_last_screen_of_24_lines_names_the_illness(example: str) -> None:
    lines = table(EXAMPLES[example]()).splitlines()
    assert f"exit {EXAMPLES[example]().exit_code}" in lines[-1]
    assert example == "healthy" or any("GC" in line for line in lines[-24:])


def test_both_screens_of_a_deep_model_hold_the_finding() -> None:
    lines = table(EXAMPLES["deep"]()).splitlines()
    for screen in (lines[:24], lines[-24:]):
        assert any(line.startswith("GC201 error") for line in screen)


def test_many_alternating_layers_fold() -> None:
    layers = tuple(layer(f"l{i}", -9.0, "GC201" if i % 2 else "frozen") for i in range(200))
    ill = report(layers=layers, status=Status.ILL, exit_code=1, findings=(finding(("l1",)),))
    text = table(ill)
    assert text.count("\n") < 40
    assert "frozen," in text


def test_verbose_shows_every_layer_and_remedy() -> None:
    text = table(EXAMPLES["deep"](), width=120, verbose=True)
    assert all(f"stage3.blocks.{i}.conv" in text for i in range(50))
    assert "Identity path" in text


def test_quiet_shows_findings_and_the_final_line_only() -> None:
    text = table(EXAMPLES["nan"](), quiet=True)
    assert text.startswith("GC101 error")
    assert "note" not in text
    assert text.endswith("exit 1\n")
    assert table(EXAMPLES["healthy"](), quiet=True) == "healthy · 12 layers · exit 0\n"


def test_users_strings_are_text() -> None:
    text = table(EXAMPLES["hostile"](), width=120)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\ud800-\udfff]", text)
    for shown in ("[red]", "[/b]", r"\x1b[31mred\x1b[0m", "слой.0", "層.1", r"a\nb", "[link=x]", "[/note]"):
        assert shown in text


def test_errors_come_before_warnings() -> None:
    warning = finding(("a",), code="GC601", severity=Severity.WARNING)
    text = table(report(status=Status.ILL, exit_code=1, findings=(warning, finding(("b",)))))
    assert text.index("GC201 error") < text.index("GC601 warning")
    assert "1 error · 1 warning" in text


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = table(EXAMPLES["vanishing"]())
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "33", "LINES": "5", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    assert table(EXAMPLES["vanishing"]()) == before


def test_every_format_renders_every_example() -> None:
    for name in FORMATS:
        for make in EXAMPLES.values():
            assert render(make(), name).endswith("\n")


def test_importing_reports_loads_neither_rich_nor_torch() -> None:
    code = "import sys, gradcheck_cli.reports; assert not {'rich', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_numbers_are_never_cut() -> None:
    for width in range(20, 130, 3):
        rows = table(EXAMPLES["nan"](), width=width, unicode=True)
        assert "…" not in rows


@pytest.mark.parametrize("format", ["table", "markdown", "html"])
def test_what_is_waived_is_told_with_its_reason(format: str) -> None:
    waived = Waived(code="GC401", rule="graph-cut", layers=("pos",), reason="frozen by design")
    text = render(report(waived=(waived,), hidden=1), format, Style(width=80, verbose=True))
    assert "frozen by design" in text
    assert "1 finding not shown" in text


def test_no_format_loads_torch() -> None:
    code = (
        "import sys; from tests.reports.examples import mixed; from gradcheck_cli.reports import FORMATS, render\n"
        "for format in FORMATS: assert render(mixed(), format)\n"
        "assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
