import re

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports import Style, render
from gradcheck_cli.reports.glyphs import shown
from gradcheck_cli.reports.markdown import text
from tests.reports.examples import EXAMPLES, SUITES
from tests.reports.golden import compare
from tests.reports.hostile import NAMES, reports, suites

PARSER = MarkdownIt("gfm-like", {"linkify": False})
OURS = {"<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>"}


@pytest.mark.parametrize("example", SUITES)
def test_markdown_suite(example: str) -> None:
    compare(f"test_markdown_suite-{example}", render(SUITES[example](), "markdown"), "md")


@pytest.mark.parametrize("example", ["vanishing", "failed", "deep"])
def test_markdown(example: str) -> None:
    compare(f"test_markdown-{example}", render(EXAMPLES[example](), "markdown"), "md")


def test_quiet_leaves_the_layers_out() -> None:
    assert "11 layers, from the loss down" not in render(EXAMPLES["vanishing"](), "markdown", Style(quiet=True))


def everything(tokens: list[Token]) -> list[Token]:
    return [token for parent in tokens for token in (parent, *(parent.children or ()))]


def words_of(parsed: list[Token]) -> str:
    return "".join(token.content for token in everything(parsed) if token.type in ("text", "fence", "text_special"))


def tags_of(parsed: list[Token]) -> set[str]:
    html = "".join(token.content for token in everything(parsed) if token.type.startswith("html"))
    return set(re.findall(r"<[^>]*>", html))


@settings(max_examples=300, deadline=None)
@given(NAMES)
def test_text_is_read_back_as_it_was(name: str) -> None:
    paragraph, *rest = PARSER.parse(f"x {text(name)} x")[1:]
    assert [token.type for token in paragraph.children or ()] in (["text"], ["text", "text"])
    assert words_of([paragraph]).split() == f"x {shown(name)} x".split()
    assert len(rest) == 1


@settings(max_examples=100, deadline=None)
@given(reports())
def test_hostile_words_stay_words(made: Report) -> None:
    parsed = PARSER.parse(render(made, "markdown"))
    kinds = {token.type for token in everything(parsed)}
    assert not kinds & {"link_open", "image", "hr", "code_block", "code_inline", "blockquote_open", "s_open"}
    assert tags_of(parsed) <= OURS
    assert sum(token.type == "heading_open" for token in parsed) == 1
    assert shown(made.name).split() == words_of(parsed[1:2]).split()[2:]


@settings(max_examples=60, deadline=None)
@given(suites())
def test_a_table_has_one_row_a_check_and_four_columns(made: SuiteReport) -> None:
    parsed = PARSER.parse(render(made, "markdown"))
    first = [token.type for token in parsed]
    first = first[: first.index("table_close")] if made.checks else []
    assert first.count("tr_open") == (len(made.checks) + 1 if made.checks else 0)
    assert first.count("td_open") == 4 * len(made.checks)
    assert tags_of(parsed) <= OURS
