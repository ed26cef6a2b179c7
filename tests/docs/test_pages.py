"""The pages of rules and causes are what the rules say now, and their examples print what stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradcheck_cli.config.yamlmodels import File
from gradcheck_cli.yamltext import parse
from tests.docs.examples import example_of, is_of_a_run, is_same, is_trained, printed_by, tells
from tests.docs.pages import BY_CODE, CAUSES_FOLDER, NAMED, ROOT, RULES_FOLDER, left_over, pages, printed_on
from tests.sweeping import sampled

PAGES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")}
QUICK = ["GC650", *(code for code in BY_CODE if not (is_of_a_run(example_of(code)) or is_trained(example_of(code))))]
"""One of a run, and those of checks without trials; CI runs each fourth of them."""


def shown(code: str) -> str:
    return printed_on(PAGES[RULES_FOLDER / f"{code}.md"]) or ""


def test_every_page_is_current() -> None:
    """`python -m tests.docs.pages --write` writes them."""
    made = dict(pages())
    assert [path.name for path, text in made.items() if PAGES.get(path) != text] == []
    assert left_over(made) == []


@pytest.mark.parametrize("code", BY_CODE)
def test_what_an_example_prints_is_the_finding_of_its_rule(code: str) -> None:
    assert tells(code, shown(code))


@pytest.mark.parametrize("code", sampled(QUICK, 4))
def test_an_example_prints_what_its_page_shows(code: str) -> None:
    printed = printed_by(example_of(code))
    assert is_same(printed, shown(code)), printed


@pytest.mark.sweep
@pytest.mark.parametrize("code", sorted(BY_CODE.keys() - set(QUICK)))
def test_a_longer_example_prints_what_its_page_shows(code: str) -> None:
    test_an_example_prints_what_its_page_shows(code)


def test_an_example_is_short() -> None:
    lengths = {code: len(example_of(code).read_text(encoding="utf-8").splitlines()) for code in BY_CODE}
    assert {code: length for code, length in lengths.items() if length > 45} == {}


def test_every_link_leads_somewhere() -> None:
    for page in (*(CAUSES_FOLDER / f"{cause}.md" for cause in NAMED), *RULES_FOLDER.glob("*.md")):
        links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", PAGES[page])
        assert links and [link for link in links if not (page.parent / link).exists()] == [], page.name


def test_what_a_page_says_of_gradcheck_yaml_is_read() -> None:
    blocks = [block for page in PAGES.values() for block in re.findall(r"```yaml\n(ignore: .*)\n```", page)]
    numbers = [found for page in PAGES.values() for found in re.findall(r"^- `(GC\d{3}: \{.*?\})`", page, re.MULTILINE)]
    assert len(blocks) > 50 and len(numbers) > 5
    for line in (*blocks, *(f"thresholds: {{{each}}}" for each in numbers)):
        assert File.model_validate(parse(f"version: 1\n{line}\n").data)


def test_no_remedy_stands_twice_on_a_page() -> None:
    for page in map(Path, (*RULES_FOLDER.glob("GC*.md"), *CAUSES_FOLDER.glob("*.md"))):
        told = re.findall(r"^\d+\. (\*\*.*)$", PAGES[page], re.MULTILINE)
        assert len(told) == len(set(told)), page.name


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("GC201 error  2 layers at net.py:7  loss 1.4012 ███", True),
        ("GC201 error  2 layers at net.py:7  loss 1.52 ████", False),
        ("GC201 error  2 layers at net.py:8  loss 1.4 ████", False),
        ("GC202 error  2 layers at net.py:7  loss 1.4 ████", False),
        ("GC201 error  3 layers at net.py:7  loss 1.4 ████", False),
        ("GC201 note   2 layers at net.py:7  loss 1.4 ████", False),
    ],
)
def test_only_noise_may_differ(other: str, same: bool) -> None:
    assert is_same("GC201 error  2 layers at net.py:7  loss 1.4 ████", other) is same
