"""Memory: how it is written, read and measured."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gradcheck_cli.records.size import parse_size, size_in_words
from gradcheck_cli.suite.memory import can_be_limited, used, uses_more
from gradcheck_cli.worker.processes import below


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("4 gb", 4 * 10**9), ("1.5MiB", 3 * 2**19), (".5kB", 500), ("7B", 7), (" 2TiB ", 2**41)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "4", "GB", "-1GB", "0GB", "1e3GB", "4GBB", "4 G B", "9" * 400 + "GB", "٤GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "words"), [(4 * 10**9, "4 GB"), (2**30, "1.07 GB"), (1500, "1.5 kB"), (1, "1 B"), (10**12, "1 TB")]
)
def test_words(size: int, words: str) -> None:
    assert size_in_words(size) == words


@pytest.mark.skipif(not can_be_limited(), reason="needs /proc")
def test_all_that_descends_is_counted_and_what_is_shared_once() -> None:
    touched = "block = b'x' * 50_000_000"
    code = f"import os, sys; {touched}; os.fork() or os.setsid(); os.write(1, b'r'); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert child.stdin and child.stdout
    assert child.stdout.read(2) == b"rr"
    assert len(below([child.pid])) == 2
    assert 50_000_000 < used(below([child.pid])) < 90_000_000
    assert uses_more(child.pid, 50_000_000)
    assert not uses_more(child.pid, 90_000_000)
    child.communicate()
    assert used(below([child.pid])) == 0
    assert used([os.getpid()]) > 0
