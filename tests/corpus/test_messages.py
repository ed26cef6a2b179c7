"""What the corpus makes the tool say reads as a sentence: names, numbers, a reason."""

import re

import pytest

from tests.corpus import CASES, Case
from tests.corpus.checked import checked

_WITH_NOTES = ("dit_adaln_zero", "bayesian_personalised_ranking", "adapter_tuning", "stochastic_depth_skips_blocks")
CHOSEN = {case.causes: case for case in CASES} | {case.name: case for case in CASES if case.name in _WITH_NOTES}
UNREADABLE = re.compile(r"10\^|\de[+-]0|\de\+|\bnan\b|\binf\b|\breduction\b|\bother factors\b|\s\s")


@pytest.mark.parametrize("case", CHOSEN.values(), ids=lambda case: case.name)
def test_messages_read_as_sentences_and_quote_the_layers_they_name(case: Case) -> None:
    for found in checked(case).findings:
        assert found.message and found.why, found.code
        assert not UNREADABLE.search(f"{found.message} {found.why}")
        assert not found.message.endswith(".") and not found.message[0].isupper()
        unquoted = re.sub(r"`[^`]*`", "", found.message)
        assert not [name for name in found.layers if not name.isdigit() and re.search(_word(name), unquoted)]


def _word(name: str) -> str:
    return rf"(?<![\w.]){re.escape(name)}(?![\w.])"
