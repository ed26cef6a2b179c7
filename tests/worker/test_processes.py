"""What descends from a process is found and ended, wherever it went."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gradcheck_cli.worker.processes import adopt_orphans, below, children, end_children

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux")
DAEMON = "import os, time; os.fork() or (os.setsid(), os.fork(), time.sleep(99)); print(flush=True); {then}"


def daemons(then: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", DAEMON.format(then=then)], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    return process


def test_what_is_below_is_seen() -> None:
    process = daemons("time.sleep(99)")
    found = below([process.pid])
    assert found[0] == process.pid and 2 <= len(found) <= 3
    others = children() - {process.pid}
    assert end_children(others) == []
    process.wait()


def test_orphans_are_ended_and_others_spared() -> None:
    others = children()
    spared = subprocess.Popen(["sleep", "99"])
    assert adopt_orphans()
    try:
        daemons("os._exit(0)").wait()
        assert end_children({*others, spared.pid}) == []
        assert children() == {*others, spared.pid}
        assert spared.poll() is None
    finally:
        adopt_orphans(wanted=False)
        spared.kill()
        spared.wait()
