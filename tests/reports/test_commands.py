"""No name of a user's makes a line that a CI runner takes for a command."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.reports.commands import COMMANDS, JSON, MARKUP, harmless

COMMAND = re.compile(r"^\s*::|##\[|##vso\[|##teamcity\[", re.MULTILINE)
TEXTS = st.lists(
    st.sampled_from(("::", ":", "#", "##", "[", "vso[", "teamcity[", "\n", " ", "\u00a0", "\t", "error", "a")),
    max_size=14,
).map("".join)


@given(TEXTS)
def test_text_keeps_its_width_and_loses_its_commands(text: str) -> None:
    safe = harmless(text)
    assert not COMMAND.search(safe)
    assert len(safe) == len(text)
    assert all(new in (old, ".") for old, new in zip(text, safe, strict=True))


@given(TEXTS)
def test_references_show_the_same(text: str) -> None:
    assert not COMMAND.search(harmless(text, MARKUP))
    assert unescape(harmless(text, MARKUP)) == text


@given(TEXTS)
def test_json_holds_the_same(text: str) -> None:
    document = json.dumps({"a": text}, indent=2)
    assert not COMMAND.search(harmless(document, JSON))
    assert json.loads(harmless(document, JSON)) == {"a": text}


@pytest.mark.parametrize("line", ["::error file=a::b", "::notice ::c"])
def test_the_commands_of_ours_stay(line: str) -> None:
    assert harmless(line, COMMANDS) == line
    assert harmless("::error ::##[add-mask]x", COMMANDS) == "::error ::.#[add-mask]x"


def test_what_is_no_command_stays() -> None:
    text = "aten::add\n# ## title\n  a :: b [##]\nstd::vector"
    assert harmless(text) == text
