import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import LayerCourse
from gradcheck_cli.reports import Style, render
from gradcheck_cli.reports.glyphs import shown
from gradcheck_cli.reports.runcharts import alarm_marks, run_charts
from gradcheck_cli.reports.runreport import told_once
from gradcheck_cli.reports.verdicts import serious
from tests.reports.examples import EXAMPLES, SUITES, failed, named
from tests.reports.golden import compare
from tests.reports.hostile import NAMES, reports, suites
from tests.timeline.sessions import SESSIONS, nan

COURSE = LayerCourse(steps=(1, 2), relative_gradient=(1e-3, None))
VOID = {"meta", "link", "path", "br"}
ELEMENTS = set(
    "html head meta link title style body h1 h2 h3 p span strong code pre ol li ul div i b a section details summary"
    " table tr th td dl dt dd br svg line polyline polygon path".split()
)


class Page(HTMLParser):
    """The elements, their attributes and the words of a page; every element has to be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID or (tag == "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def unquoted(words: str) -> str:
    """Words without the backticks of names, which a page sets as code."""
    return words.replace("`", "")


def check_harmless(text: str) -> Page:
    page = Page(text)
    assert text.isascii()
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    for _, attributes in page.elements:
        assert not any(name.startswith("on") or name in ("src", "srcset", "action") for name in attributes)
        assert re.fullmatch(r"#check-\d+|data:,", attributes.get("href") or "data:,")
        assert re.fullmatch(r"[a-z:().%\d;-]*", attributes.get("style") or "")
    style = text.split("<style>")[1].split("</style>", maxsplit=1)[0]
    assert "url(" not in style
    assert "@import" not in style
    return page


@pytest.mark.parametrize("example", ["vanishing", "recurrent", "failed"])
def test_html(example: str) -> None:
    body = render(EXAMPLES[example](), "html").split("<body>")[1]
    compare(f"test_html-{example}", body, "html")


@pytest.mark.parametrize("example", [*EXAMPLES.values(), *SUITES.values()])
def test_no_page_asks_for_anything(example) -> None:
    for verbose in (False, True):
        check_harmless(render(example(), "html", Style(verbose=verbose)))


def test_the_page_forbids_requests_and_knows_both_schemes() -> None:
    text = render(EXAMPLES["vanishing"](), "html")
    assert "default-src 'none'; style-src 'unsafe-inline'" in text
    assert "prefers-color-scheme: dark" in text
    assert "<script" not in text


def test_a_suite_links_every_check_to_its_section() -> None:
    page = check_harmless(render(SUITES["mixed"](), "html"))
    links = [a["href"] for tag, a in page.elements if tag == "a"]
    sections = {a["id"]: "open" in a for tag, a in page.elements if tag == "details" and "id" in a}
    assert links == [f"#{name}" for name in sections]
    assert list(sections.values()) == [bool(check.exit_code) for check in SUITES["mixed"]().checks]


def test_a_trial_is_drawn_before_and_after() -> None:
    page = check_harmless(render(EXAMPLES["vanishing"](), "html"))
    bars = [a["style"] for tag, a in page.elements if tag == "i" and a.get("class") in ("before", "after")]
    assert bars == ["width:100.0%", "width:22.4%", "width:100.0%", "width:70.6%"]


@settings(max_examples=80, deadline=None)
@given(reports())
def test_hostile_words_stay_words(made: Report) -> None:
    page = check_harmless(render(made, "html"))
    for words in (made.name, *(one.message for one in made.findings), *(one.path for one in made.layers)):
        assert unquoted(shown(words)) in unquoted(page.words)
    assert all(shown(line.expandtabs(4)) in page.words for line in made.error.splitlines())


@settings(max_examples=40, deadline=None)
@given(suites())
def test_hostile_suites(made: SuiteReport) -> None:
    page = check_harmless(render(made, "html"))
    assert all(shown(check.name) in page.words for check in made.checks)
    assert sum(tag == "details" and "id" in a for tag, a in page.elements) == len(made.checks)


@pytest.mark.parametrize("example", SESSIONS)
def test_the_page_of_a_run(example: str) -> None:
    run = SESSIONS[example]().timeline()
    page = check_harmless(render(run, "html"))
    told = [finding.message for _, report in told_once(run) for finding in serious(report)]
    assert all(unquoted(shown(message)) in unquoted(page.words) for message in told)
    assert all(mark.told in page.words for mark in alarm_marks(run))
    alarms = sum(tag == "line" and "alarm" in (a.get("class") or "") for tag, a in page.elements)
    assert alarms == len(run.alarms) * len(run_charts(run, Style()))


@settings(max_examples=40, deadline=None)
@given(reports(), NAMES)
def test_hostile_runs(made: Report, name: str) -> None:
    alarm = replace(nan().timeline().alarms[0], report=made)
    run = replace(nan().timeline(), command=(name,), notes=(name,), alarms=(alarm,), layers={name: COURSE})
    page = check_harmless(render(run, "html"))
    words = unquoted(page.words)
    assert shown(name) in page.words and all(unquoted(shown(f.message)) in words for f in made.findings)


def test_tabs_are_expanded_line_by_line() -> None:
    made = named("m.py", failed, error="abc\x1c\tdef\n\tghi")
    assert "<pre>abc\n    def\n    ghi\n</pre>" in render(made, "html")
