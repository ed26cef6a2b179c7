"""A script below `gradcheck run` and the same by plain Python: what it prints, how it ends, what it sees of the world.

Its streams are pipes or a terminal, and it is sent the signals that a terminal or a scheduler sends.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from gradcheck_cli.errors import UsageError
from gradcheck_cli.worker import script
from gradcheck_cli.worker.script import BOOT, SESSION, environment, run_script

GRADCHECK = [sys.executable, "-m", "gradcheck_cli", "run", "--format", "json"]
PRELUDE = """
import os, sys, signal, threading, time, atexit, json, multiprocessing as mp, pickle
"""


@dataclass(frozen=True)
class Ended:
    """How a script ended, by itself or below us; `report` is what we added."""

    code: int
    out: str
    err: str
    report: dict[str, object] | None = None


def plainly(command: list[str], folder: Path, stdin: str = "") -> Ended:
    ran = subprocess.run(command, cwd=folder, input=stdin, capture_output=True, text=True, check=False)
    return Ended(ran.returncode if ran.returncode >= 0 else 128 - ran.returncode, ran.stdout, ran.stderr)


def watched(arguments: list[str], folder: Path, stdin: str = "") -> Ended:
    ran = plainly([*GRADCHECK, *arguments], folder, stdin)
    theirs, report = apart(ran.err)
    return Ended(ran.code, ran.out, theirs, report)


def apart(err: str) -> tuple[str, dict[str, object]]:
    """What the script wrote to stderr, and the report at its end."""
    begins = [match.start() for match in re.finditer(r'\{\s*"schema": "gradcheck-run/1"', err)][-1]
    return err[:begins], json.loads(err[begins:])


# --------------------------------------------------------------------------- as plain Python

SEEN = """
print(sys.argv, sys.orig_argv[1:], __name__, __file__, __spec__, sys.flags)
print(sys.path, sorted({type(finder).__name__ for finder in sys.meta_path} - {"WhenTorchIsImported"}))
import __main__
print(__main__.__dict__ is globals(), sorted(globals()), sorted(sys.modules))
print([(number, str(signal.getsignal(number))) for number in range(1, 32)], signal.pthread_sigmask(0, []))
print(sorted(os.listdir("/proc/self/fd")) if os.path.exists("/proc") else "", os.getcwd(), os.umask(0))
print(sys.stdin.read(), [stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)])
class Thing: pass
print(pickle.dumps(Thing()), type(pickle.loads(pickle.dumps(Thing()))) is Thing)
import subprocess
for option in ("-u", "-I", "-S"):
    code = "import sys; print([path for path in sys.path if 'boot' not in path], sorted(sys.modules))"
    print(subprocess.run([sys.executable, option, "-c", code], capture_output=True, text=True))
"""
ENDS = {
    "well": "print('done')",
    "text": "sys.exit('it went wrong')",
    "number": "sys.exit(5)",
    "large number": "sys.exit(256 + 7)",
    "traceback": "def f(x):\n    return 1 / x\nprint('before'); f(0)",
    "chained": "try: {}['a']\nexcept KeyError as e: raise ValueError('b') from e",
    "interrupt": "raise KeyboardInterrupt",
    "syntax": "def f(:",
    "help": "import argparse; argparse.ArgumentParser().parse_args(['-h'])",
    "hard exit": "print('flushed', flush=True); os._exit(3)",
    "segfault": "import ctypes; print('here', flush=True); ctypes.string_at(0)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "terminated": "os.kill(os.getpid(), signal.SIGTERM)",
    "aborted": "os.abort()",
    "at exit": "atexit.register(print, 'at exit'); print('main')",
    "thread": "threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start(); print('main')",
    "warning": "import warnings; warnings.warn('careful'); print('progress 50 %', file=sys.stderr)",
}


@pytest.mark.parametrize("name", ENDS)
def test_a_script_ends_as_it_does_by_itself(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path(tmp_path, "train.py").write_text(PRELUDE + ENDS[name])
    monkeypatch.chdir(tmp_path)
    plain = plainly([sys.executable, "train.py"], tmp_path)
    code = run_script([sys.executable, "train.py"], environment(str(tmp_path)))
    caught = capfd.readouterr()
    assert (code, caught.out, caught.err) == (plain.code, plain.out, plain.err)


@pytest.mark.parametrize("text", [SEEN, *(ENDS[name] for name in ("text", "traceback", "segfault"))])
def test_a_script_does_what_it_does_by_itself_below_the_command(text: str, tmp_path: Path) -> None:
    Path(tmp_path, "train.py").write_text(PRELUDE + text)
    arguments = ["train.py", "-h", "--format", "json", "--", "-m", "x y"]
    plain = plainly([sys.executable, *arguments], tmp_path, "some input")
    ours = watched(arguments, tmp_path, "some input")
    assert (ours.out, ours.err) == (plain.out, plain.err)
    assert ours.report and ours.report["script_exit"] == plain.code
    assert ours.code == (plain.code or 2)  # no step was seen


POOLS = """
def double(x): return 2 * x
class Thing:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return self.x == other.x
def make(x): return Thing(x)
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with mp.get_context(method).Pool(2) as pool:
            print(method, pool.map(double, range(4)), pool.map(make, range(2)) == [Thing(0), Thing(1)])
"""


def test_pools_of_every_kind_work_as_they_do(tmp_path: Path) -> None:
    Path(tmp_path, "train.py").write_text(PRELUDE + POOLS)
    plain, ours = plainly([sys.executable, "train.py"], tmp_path), watched(["train.py"], tmp_path)
    assert "forkserver [0, 2, 4, 6] True" in plain.out
    assert (ours.out, ours.err) == (plain.out, plain.err)


def test_the_environment_has_two_words_more(tmp_path: Path) -> None:
    Path(tmp_path, "train.py").write_text("import os, json; print(json.dumps(dict(os.environ)))")
    plain = json.loads(plainly([sys.executable, "train.py"], tmp_path).out)
    ours = json.loads(watched(["train.py"], tmp_path).out)
    path = [entry for entry in (BOOT, plain.pop("PYTHONPATH", "")) if entry]
    assert ours.pop("PYTHONPATH").split(os.pathsep) == [*os.pathsep.join(path).split(os.pathsep)]
    assert not Path(ours.pop(SESSION)).exists()
    assert ours == plain


@pytest.mark.parametrize("named", ["pkg.train", "pkg"])
def test_a_module_is_run_as_python_does(named: str, tmp_path: Path) -> None:
    Path(tmp_path, "pkg").mkdir()
    Path(tmp_path, "pkg", "__init__.py").write_text("print('package')")
    for name in ("train", "__main__"):
        told = "import sys; print(sys.argv, __name__, __spec__.name, __package__, sys.path)"
        Path(tmp_path, "pkg", f"{name}.py").write_text(told)
    plain = plainly([sys.executable, "-m", named, "-h"], tmp_path)
    ours = watched(["-m", named, "-h"], tmp_path)
    assert plain.code == 0 and (ours.out, ours.err) == (plain.out, plain.err)


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "echo $0 $1; exit 7", "--", "-m"],
        [sys.executable, "-c", "import sys; sys.exit(3)"],
        ["sh", "-c", "kill -TERM $$"],
        ["sh", "-c", "trap 'exit 4' PIPE; kill -PIPE $$"],
        ["sh", "-c", "yes | head -1"],
    ],
)
def test_any_command_after_dashes(command: list[str], tmp_path: Path) -> None:
    plain, ours = plainly(command, tmp_path), watched(["--", *command], tmp_path)
    assert (ours.out, ours.err, ours.code) == (plain.out, plain.err, plain.code or 2)


# --------------------------------------------------------------------------- signals

WAITING = """
import sys, time, signal
def told(number, frame):
    print("got", number, flush=True)
for number in map(int, sys.argv[1:]):
    signal.signal(number, told)
try:
    print("ready", flush=True)
    for _ in range(200):
        time.sleep(0.05)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    time.sleep(0.2)
    raise
finally:
    print("bye", flush=True)
"""


class Terminal:
    """A command at a terminal of its own, in its foreground."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.execv(command[0], command)
        self.text = ""

    def until(self, text: str) -> None:
        """Read until it has said `text`."""
        deadline = time.monotonic() + 20
        while text not in self.text:
            assert select.select([self.terminal], [], [], deadline - time.monotonic())[0], self.text
            self.text += os.read(self.terminal, 4096).decode()

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def end(self) -> int:
        """Its exit code, after all that it had to say."""
        try:
            while more := os.read(self.terminal, 4096).decode():
                self.text += more
        except OSError:  # Linux's way to say that nobody holds the other end
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def at_terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    started = []

    def start(text: str, *arguments: str) -> Terminal:
        Path(tmp_path, "train.py").write_text(text)
        started.append(Terminal([*GRADCHECK, "train.py", *arguments], tmp_path))
        return started[-1]

    yield start
    for one in started:
        with suppress(ProcessLookupError):
            os.killpg(one.pid, signal.SIGKILL)


def test_the_terminal_is_the_scripts(at_terminal: Callable[..., Terminal]) -> None:
    text = "import sys, os; print([s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)])\n"
    text += "print(os.tcgetpgrp(0) == os.getpgrp()); x = 41; breakpoint(); print('went on')"
    terminal = at_terminal(text)
    terminal.until("(Pdb)")
    terminal.type("p x + 1\n")
    terminal.until("42")
    terminal.type("c\n")
    assert terminal.end() == 2
    assert "[True, True, True]" in terminal.text
    assert "True\r\n" in terminal.text and "went on" in terminal.text


def test_one_ctrl_c_is_the_scripts(at_terminal: Callable[..., Terminal]) -> None:
    terminal = at_terminal(WAITING)
    terminal.until("ready")
    terminal.type("\x03")
    assert terminal.end() == 128 + signal.SIGINT
    assert terminal.text.count("interrupted\r\n") == 1 and "bye" in terminal.text
    assert '"script_exit": 130' in terminal.text


def test_a_script_that_takes_ctrl_c_goes_on(at_terminal: Callable[..., Terminal]) -> None:
    terminal = at_terminal(
        "import time\ntry:\n    print('ready'); time.sleep(20)\nexcept KeyboardInterrupt: print('saved')"
    )
    terminal.until("ready")
    terminal.type("\x03")
    assert terminal.end() == 2
    assert "saved" in terminal.text and '"script_exit": 0' in terminal.text


def test_two_are_the_end(at_terminal: Callable[..., Terminal]) -> None:
    text = f"import os\nprint('pid', os.getpid(), end='.')\n{WAITING}"
    terminal = at_terminal(text, str(int(signal.SIGINT)))
    terminal.until("ready")
    terminal.type("\x03")
    terminal.until("got 2")
    time.sleep(script._AT_ONCE * 1.5)
    terminal.type("\x03")
    assert terminal.end() == 130
    assert "error: interrupted" in terminal.text and "bye" not in terminal.text
    with pytest.raises(ProcessLookupError):
        os.kill(int(terminal.text.split("pid ")[1].split(".")[0]), 0)


def test_ctrl_z_stops_both_and_they_go_on(at_terminal: Callable[..., Terminal]) -> None:
    terminal = at_terminal("print('ready', flush=True); print(input())")
    terminal.until("ready")
    os.killpg(terminal.pid, signal.SIGTSTP)
    os.killpg(terminal.pid, signal.SIGCONT)
    terminal.type("went on\n")
    assert terminal.end() == 2
    assert terminal.text.count("went on") == 2  # typed, and printed


@pytest.mark.parametrize(
    ("name", "handled"), [("SIGTERM", True), ("SIGUSR1", True), ("SIGINT", True), ("SIGHUP", False), ("SIGTERM", False)]
)
def test_a_signal_to_us_reaches_the_script_and_the_report_is_made(name: str, handled: bool, tmp_path: Path) -> None:
    number = getattr(signal, name)
    Path(tmp_path, "train.py").write_text(WAITING.replace("range(200)", "range(5)"))
    command = [*GRADCHECK, "train.py", *([str(int(number))] if handled else [])]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True, process_group=0) as started:
        assert started.stdout and started.stdout.readline() == "ready\n"
        os.kill(started.pid, number)
        out, err = started.communicate(timeout=20)
    _, report = apart(err)
    if handled:
        assert (out, report["script_exit"], started.returncode) == (f"got {int(number)}\nbye\n", 0, 2)
    else:
        assert (report["script_exit"], started.returncode) == (128 + number, 128 + number)


def test_an_interrupt_from_our_own_group_reaches_the_script(tmp_path: Path) -> None:
    Path(tmp_path, "train.py").write_text(WAITING.replace("range(200)", "range(5)"))
    command = [*GRADCHECK, "train.py", str(int(signal.SIGINT))]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout and started.stdout.readline() == "ready\n"
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=20)
    assert (out, apart(err)[1]["script_exit"]) == (f"got {int(signal.SIGINT)}\nbye\n", 0)


def test_an_interrupt_of_timeout_reaches_the_script_once(tmp_path: Path) -> None:
    Path(tmp_path, "train.py").write_text(
        "import signal, time\nseen = []\nsignal.signal(signal.SIGINT, lambda *_: seen.append(1))\n"
        "end = time.monotonic() + 4\nwhile time.monotonic() < end and not seen: time.sleep(0.05)\n"
        "time.sleep(0.5)\nprint(len(seen))\n"
    )
    ran = plainly(["timeout", "-s", "INT", "2", *GRADCHECK, "train.py"], tmp_path)
    assert ran.out == "1\n"


def test_signals_that_whoever_started_us_ignores_are_ignored(tmp_path: Path) -> None:
    Path(tmp_path, "train.py").write_text(
        "import signal, os; os.kill(os.getppid(), signal.SIGHUP); print('still here')"
    )
    command = ["sh", "-c", f"trap '' HUP; exec {' '.join(GRADCHECK)} train.py"]
    ran = plainly(command, tmp_path)
    assert (ran.code, ran.out) == (2, "still here\n")


# --------------------------------------------------------------------------- by itself


def test_what_cannot_be_started_is_told() -> None:
    with pytest.raises(UsageError, match="`nothing-of-that-name` cannot be started: No such file or directory"):
        run_script(["nothing-of-that-name"], os.environ)


def test_a_system_without_spawn_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_spawnp")
    with pytest.raises(UsageError, match="Linux and macOS can"):
        run_script(["true"], os.environ)


def test_our_own_signals_are_as_they_were() -> None:
    before = signal.getsignal(signal.SIGCHLD), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert run_script(["sh", "-c", "exit 9"], os.environ) == 9
    assert (signal.getsignal(signal.SIGCHLD), signal.pthread_sigmask(signal.SIG_BLOCK, [])) == before


ALONE = """
import os, signal
from gradcheck_cli.errors import Interrupted
from gradcheck_cli.worker.script import run_script
"""


def alone(code: str) -> str:
    """What code prints in a process without the threads of a test's, which would take the signals."""
    return subprocess.run([sys.executable, "-c", ALONE + code], check=True, capture_output=True, text=True).stdout


def test_a_signal_that_comes_as_the_script_ends_does_not_end_us() -> None:
    code = """
command = ["sh", "-c", f"kill -TERM {os.getpid()}; exit 3"]
print({run_script(command, os.environ) for _ in range(20)} <= {3, 143})
"""
    assert alone(code) == "True\n"


@pytest.mark.parametrize(("path", "told"), [(None, BOOT), ("", BOOT), ("/a:/b", f"{BOOT}:/a:/b"), (":", f"{BOOT}::")])
def test_the_boot_comes_first(path: str | None, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
    assert environment("/s")["PYTHONPATH"] == told
    assert environment("/s")[SESSION] == "/s"
    assert Path(BOOT, "sitecustomize.py").is_file()


def test_a_system_that_does_not_say_who_sent_a_signal() -> None:
    code = """
del signal.sigtimedwait
sent = f"kill -USR1 {os.getpid()}; kill -INT {os.getpid()}; sleep 0.2; kill -INT {os.getpid()}; sleep 20"
try:
    run_script(["sh", "-c", f"trap 'exit 3' INT; trap : USR1; {sent}"], os.environ)
except Interrupted as interrupted:
    print(interrupted.exit_code)
"""
    assert alone(code) == "130\n"


def test_an_end_that_another_thread_heard_of_is_seen() -> None:
    code = """
import threading, time
threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
waiting, signal.sigtimedwait = signal.sigtimedwait, lambda heard, patience: time.sleep(0.3) or waiting(heard, 0.1)
print(run_script(["sh", "-c", "exit 5"], os.environ))
"""
    assert alone(code) == "5\n"
