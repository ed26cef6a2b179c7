"""A signal that ends a command is one exception, and the exit code comes from its number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gradcheck_cli import signals
from gradcheck_cli.cli.failing import as_error
from gradcheck_cli.signals import ENDING, Signalled, install, number_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself these")


@pytest.fixture(autouse=True)
def _handlers_come_back() -> Iterator[None]:
    handlers, hook = {number: signal.getsignal(number) for number in ENDING}, sys.unraisablehook
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    sys.unraisablehook = hook
    signals._arrived.clear()


def test_the_signals_of_a_terminal_and_of_a_cancelled_job_end_a_command() -> None:
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} == set(ENDING)


@pytest.mark.parametrize("number", ENDING)
def test_each_is_raised_with_its_number(number: int) -> None:
    install()
    with pytest.raises(Signalled) as raised:
        os.kill(os.getpid(), number)
    assert number_of(raised.value) == raised.value.number == number


@pytest.mark.parametrize("number", ENDING)
def test_one_that_whoever_started_us_ignores_stays_ignored(number: int) -> None:
    signal.signal(number, signal.SIG_IGN)
    install()
    os.kill(os.getpid(), number)
    assert signal.getsignal(number) is signal.SIG_IGN
    assert all(signal.getsignal(other) is signals._raise for other in ENDING if other != number)


def test_it_passes_for_ctrl_c_and_not_for_an_exception_that_code_may_swallow() -> None:
    assert issubclass(Signalled, KeyboardInterrupt)
    assert not issubclass(Signalled, Exception)


@pytest.mark.parametrize(
    ("raised", "number"),
    [(KeyboardInterrupt(), signal.SIGINT), (KeyboardInterrupt("x"), signal.SIGINT), (Signalled(15), signal.SIGTERM)],
    ids=repr,
)
def test_an_interruption_that_says_nothing_is_ctrl_c(raised: KeyboardInterrupt, number: int) -> None:
    assert number_of(raised) == number


IN_A_CALLBACK = """
import os, signal
from gradcheck_cli.signals import install
install()
class Dies:
    def __del__(self):
        {fault}
Dies()
print("went on", flush=True)
"""


@pytest.mark.parametrize("number", ENDING)
def test_one_that_python_would_swallow_in_a_callback_ends_the_command_all_the_same(number: int) -> None:
    code = IN_A_CALLBACK.format(fault=f"os.kill(os.getpid(), {int(number)})")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + number, "", "")


def test_any_other_exception_in_a_callback_is_told_as_ever_and_ends_nothing() -> None:
    code = IN_A_CALLBACK.format(fault="raise ValueError('as ever')")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "went on\n")
    assert "ValueError: as ever" in ended.stderr


def test_a_signal_that_a_library_made_an_error_of_its_own_still_ends_the_command() -> None:
    signal.signal(signal.SIGTERM, signals._raise)
    assert signals.arrived() is None
    with pytest.raises(Signalled):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signals.arrived() == signal.SIGTERM
    assert as_error(ValueError("the validator cannot be built")).exit_code == 128 + signal.SIGTERM
