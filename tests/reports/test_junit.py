import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given, settings

from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports import render
from gradcheck_cli.reports.glyphs import shown
from tests.reports.examples import EXAMPLES, SUITES
from tests.reports.golden import compare
from tests.reports.hostile import suites

XSD = xmlschema.XMLSchema(str(Path(__file__).parent / "schemas" / "junit.xsd"))


@pytest.mark.parametrize("example", SUITES)
def test_junit(example: str) -> None:
    text = render(SUITES[example](), "junit")
    compare(f"test_junit-{example}", re.sub(r'timestamp="[^"]*"', 'timestamp="TIME"', text), "xml")


@pytest.mark.parametrize("example", [*EXAMPLES.values(), *SUITES.values()])
def test_the_schema_holds(example) -> None:
    XSD.validate(render(example(), "junit"))


def test_a_code_that_is_none_is_no_less_a_word() -> None:
    made = EXAMPLES["vanishing"]()
    report = replace(made, findings=tuple(replace(finding, code="\x1f") for finding in made.findings))
    (failure,) = ET.fromstring(render(report, "junit")).iter("failure")
    assert failure.get("type") == shown("\x1f") != "\x1f"


def test_every_check_is_a_testcase_and_the_counts_agree() -> None:
    suite = ET.fromstring(render(SUITES["mixed"](), "junit"))[0]
    names = [case.get("name") for case in suite.findall("testcase")]
    assert names == [check.name for check in SUITES["mixed"]().checks]
    for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[attribute]) == len(suite.findall(f"testcase/{element}"))
    assert [suite.attrib[key] for key in ("tests", "failures", "errors", "skipped")] == ["7", "3", "1", "1"]


@settings(max_examples=100, deadline=None)
@given(suites())
def test_hostile_words_stay_words(made: SuiteReport) -> None:
    text = render(made, "junit")
    assert text.isascii()
    XSD.validate(text)
    cases = ET.fromstring(text)[0].findall("testcase")
    assert [case.get("name") for case in cases] == [" ".join(shown(check.name).split()) for check in made.checks]
    for case, check in zip(cases, made.checks, strict=True):
        words = (case[0].text or "") + (case[0].get("message") or "")
        assert all(shown(one.message) in words for one in check.findings)
        assert all(shown(line) in words for line in check.error.splitlines())
