"""Saved documents and gradcheck.yaml with anything in them: refused in one message, or shown whole and harmless."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.config import load_config
from gradcheck_cli.errors import ConfigError, ReportError
from gradcheck_cli.records.codec import WrongShape, decode, encode, strict_json
from gradcheck_cli.records.documents import report_to_dict, run_to_dict, saved_from_dict, suite_to_dict
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.reports import FORMATS, Style, render
from gradcheck_cli.reports.commands import JSON
from tests.config.malformed import GOOD
from tests.reports.examples import EXAMPLES, SUITES
from tests.reports.hostile import NAMES
from tests.reports.test_html import check_harmless
from tests.sweeping import sampled
from tests.timeline.sessions import SESSIONS

DOCUMENTS = (
    *(report_to_dict(make()) for make in EXAMPLES.values()),
    *(suite_to_dict(make()) for make in SUITES.values()),
    *(run_to_dict(make().timeline()) for make in SESSIONS.values()),
)
NUMBERS = st.sampled_from(
    (0, -0.0, -1, 1, 2**31, 2**63, 10**30, 1e-320, 1e-30, 1e30, 1.7e308, -1.7e308, "nan", "inf", "-inf")
)
ODD = (
    NAMES
    | NUMBERS
    | st.sampled_from((None, True, [], {}, [[]], {"": ""}))
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
COMMAND = re.compile(r"^\s*::|##\[|##vso\[|##teamcity\[", re.MULTILINE)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
STYLES = (Style(width=100), Style(width=40, verbose=True, unicode=False), Style(width=100, verbose=True))
EXAMPLES_RUN = [150, pytest.param(10_000, marks=pytest.mark.sweep)]


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a document holds something, from the outside inwards."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([at] if at else []), *(place for key, item in items for place in _places(item, (*at, key)))]


PLACES = [_places(document) for document in DOCUMENTS]


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A saved document with one to twelve of its values replaced, taken out or put under another name."""
    index = draw(st.integers(0, len(DOCUMENTS) - 1))
    document = copy.deepcopy(DOCUMENTS[index])
    for place in draw(st.lists(st.sampled_from(PLACES[index]), min_size=1, max_size=12)):
        _change(document, place, draw)
    return document


def _change(document: Any, place: tuple[Any, ...], draw: st.DrawFn) -> None:
    holder = document
    with suppress(KeyError, IndexError, TypeError):  # what was replaced before has no such parts any more
        for key in place[:-1]:
            holder = holder[key]
        if draw(st.integers(0, 9)) == 0:
            del holder[place[-1]]
        elif isinstance(holder, dict) and draw(st.integers(0, 9)) == 0:
            holder[draw(NAMES)] = holder[place[-1]]
        else:
            holder[place[-1]] = _alike(holder[place[-1]], draw)


def _alike(value: Any, draw: st.DrawFn) -> Any:
    """Mostly of the same kind, so that it is read, and the other times of any."""
    if draw(st.integers(0, 4)) == 0:
        return draw(ODD)
    if isinstance(value, str):
        return draw(NAMES)
    return draw(NUMBERS) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _check(text: str, format: str) -> None:
    """What every format promises of any report."""
    assert text.endswith("\n")
    assert not CONTROL.search(text)
    if format != "github":
        assert not COMMAND.search(text)
    if FORMATS[format].escapes == JSON:
        strict_json(text)
    if format == "junit":
        ET.fromstring(text)
    if format == "html":
        check_harmless(text)
    if format == "github":
        assert all(
            line.startswith(("::error ", "::warning ", "::notice ", "gradcheck: ")) for line in text.splitlines()
        )


@pytest.mark.parametrize("examples", EXAMPLES_RUN)
def test_a_saved_document_is_refused_or_shown_whole_in_every_format(examples: int) -> None:
    @settings(max_examples=examples)
    @given(documents(), st.sampled_from(sorted(FORMATS)), st.sampled_from(STYLES))
    def show(document: Any, format: str, style: Style) -> None:
        try:
            saved = saved_from_dict(strict_json(json.dumps(document)), "r.json")
        except ReportError as error:
            assert error.message.startswith("r.json: ") and error.hint
            return
        _check(render(saved, format, style), format)

    show()


@pytest.mark.parametrize("examples", EXAMPLES_RUN)
def test_the_codec_reads_any_json_or_says_where_it_is_wrong(examples: int) -> None:
    @settings(max_examples=examples)
    @given(documents(), st.sampled_from((Report, SuiteReport, Timeline)))
    def back(document: Any, kind: type) -> None:
        try:
            record = decode(kind, document)
        except WrongShape:
            return
        assert decode(kind, strict_json(json.dumps(encode(record)))) is not None

    back()


BITS = st.sampled_from(
    (
        *"\t\0\x07:-#*&![]{}'\"|>%@`,?~\n ",
        *(
            "\x85",
            "\u2028",
            "\ufeff",
            "é",
            "1e999",
            ".inf",
            "0o8",
            "<<: *a",
            "&a ",
            "*a",
            "*usual",
            "!!int ",
            "---",
            "[[[[",
        ),
        *(
            "null",
            "true",
            "9" * 30,
            "-1",
            "GC9",
            '"\\ud800"',
            '"\\0"',
            "../x",
            "m.py:f",
            "~nosuchuser",
            "n" * 300,
            "1e300",
        ),
        *(
            "\n  - model: ",
            "\n    set: {a: ",
            "\n    matrix: {set: {a: [",
            "\ninclude: [",
            "\n    timeout: ",
            "\nversion: ",
        ),
    )
)


@st.composite
def configs(draw: st.DrawFn) -> str:
    """A good gradcheck.yaml with spans taken out, doubled, or replaced by something odd."""
    text = GOOD
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(BITS | st.just(text[start:end] * 2) | st.text(max_size=3)) + text[end:]
    return text


@pytest.mark.parametrize("examples", [200, pytest.param(10_000, marks=pytest.mark.sweep)])
def test_any_gradcheck_yaml_is_planned_or_refused_at_a_place(
    examples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("gradcheck.yaml")

    @settings(max_examples=examples)
    @given(configs())
    def plan(text: str) -> None:
        path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
        try:
            checks = load_config(path, {})
        except ConfigError as error:
            assert re.match(r"gradcheck\.yaml:[1-9]\d*:[1-9]\d*: \S", error.message)
            assert len(error.message) < 2000
            return
        assert len({check.name for check in checks}) == len(checks)

    plan()


def test_the_documents_that_are_changed_are_of_every_kind() -> None:
    kinds: set[Callable[..., Any]] = {type(saved_from_dict(document, "r.json")) for document in DOCUMENTS}
    assert kinds == {Report, SuiteReport, Timeline}


EXTREMES = (
    (1.7e308, -1.7e308),
    (1.7e308,),
    (-1.7e308,),
    (5e-324, 1.7e308),
    ("nan", 1.7e308, "-inf"),
    (10**30, -(10**30)),
)


def _filled(value: Any, numbers: Iterator[Any]) -> Any:
    """The document with every float replaced by the next of the numbers, and every text by a hostile one."""
    if isinstance(value, dict):
        return {key: _filled(item, numbers) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, numbers) for item in value]
    return next(numbers) if isinstance(value, float) or value in ("nan", "inf", "-inf") else value


@pytest.mark.parametrize("extremes", sampled([(each,) for each in EXTREMES], every=len(EXTREMES)))
def test_numbers_at_their_extremes_are_drawn(extremes: tuple[Any, ...]) -> None:
    for document in DOCUMENTS:
        saved = saved_from_dict(_filled(document, cycle(extremes)), "r.json")
        for format in FORMATS:
            text = render(saved, format, STYLES[2])
            _check(text, format)
            assert format != "html" or not re.search(r'(?:points|x\d?|y\d?|d|width|height)="[^"]*(?:nan|inf)', text)
