"""Messages come back as they were, in any pieces, and nothing else passes for one."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.worker.messages import Mail, packed
from tests.sweeping import drawn

TOKEN = "0123456789abcdef" * 2
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,  # of a hundred, nearly all the time would go into drawing them
)
MESSAGES = st.lists(st.dictionaries(st.text(), JSON), max_size=4)


@drawn(25, 500, MESSAGES, st.integers(1, 50))
def test_messages_in_pieces(messages: list[dict], size: int) -> None:
    stream = b"".join(packed(TOKEN, message) for message in messages)
    mail, found = Mail(TOKEN), []
    for start in range(0, len(stream), size):
        found += mail.take(stream[start : start + size])
    assert found == messages
    assert not mail.noise


@given(st.binary(min_size=34), st.integers(1, 50))
def test_noise_is_told_and_nothing_after_it_is_believed(noise: bytes, size: int) -> None:
    mail, stream = Mail(TOKEN), noise + packed(TOKEN, {"report": {}})
    found = [message for start in range(0, len(stream), size) for message in mail.take(stream[start : start + size])]
    assert (found, mail.noise) == ([], True)


@pytest.mark.parametrize(
    "noise",
    [
        b"x",
        pickle.dumps({"report": 1}),
        packed("f" * 32, {"report": {}}),
        TOKEN.encode() + b" -1\n{}",
        TOKEN.encode() + b" 2\n[]",
        TOKEN.encode() + b" 4\n{NaN",
        TOKEN.encode() + b" " + b"1" * 200,
        TOKEN.encode() + b" 100000\n" + b"[" * 100_000,
    ],
    ids=range(8),
)
def test_what_is_no_message(noise: bytes) -> None:
    mail = Mail(TOKEN)
    assert mail.take(packed(TOKEN, {"stage": []})) == [{"stage": []}]
    assert mail.take(noise) == []
    assert mail.noise
    assert mail.take(packed(TOKEN, {"stage": []})) == []


def test_a_long_message_in_small_pieces_is_not_read_again_with_each() -> None:
    message = {"report": "x" * 10**7}
    stream, mail = packed(TOKEN, message), Mail(TOKEN)
    found = [got for start in range(0, len(stream), 4096) for got in mail.take(stream[start : start + 4096])]
    assert json.dumps(found) == json.dumps([message])
