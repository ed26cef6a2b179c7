"""What runs in the process of one check: import all of ours, hear what is asked, make the check, answer, end."""

from __future__ import annotations

import atexit
import getpass
import os
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

from gradcheck_cli.errors import GradcheckError, Interrupted, UserCodeError, internal_error
from gradcheck_cli.records.codec import decode
from gradcheck_cli.records.documents import report_to_dict
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.worker import processes
from gradcheck_cli.worker.messages import CHANNEL_LOST, Mail, packed
from gradcheck_cli.worker.untried import unfinished

_STAGES = (
    "torch",
    "gradcheck_cli.pipeline",
    "gradcheck_cli.probe",
    "gradcheck_cli.target.load",
    "gradcheck_cli.trials",
)
_MANY = ("numpy.random",)  # which the seeding of every check would import
_RARELY = 0.1
"""Seconds between two words on how far the same stage is."""
_LONGEST_FOLDER = 107 - len("/pymp-xxxxxxxx/listener-xxxxxxxx")
"""Bytes of a folder's name in which the sockets of a DataLoader's workers still have a place."""
# The user's code may replace them.
_end, _fstat, _pid, _write = os._exit, os.fstat, os.getpid, os.write


def preload(*, many: bool = False) -> None:
    """Import what a check needs, before the user's folders can shadow any of it."""
    for name in (*_STAGES, *(_MANY if many else ())):
        import_module(name)


def work(channel: int, output: int, folder: Path) -> NoReturn:
    """Make the check that `channel` asks for; what else it writes goes to `output`, its temporary files to `folder`."""
    os.setsid()  # so that what the check starts can be ended with it
    processes.adopt_orphans()
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    for text in (sys.stdout, sys.stderr):
        if isinstance(text, TextIOWrapper):  # and not None, where it was closed
            text.reconfigure(line_buffering=True)
    failed: BaseException | None = None
    try:
        preload()
    except BaseException as raised:
        failed = raised
    line = _Line(channel)
    _use_folder(folder)
    line.say({"ready": True})
    line.say(_answer(line, failed))
    _say_goodbye()
    _end(0)


def _use_folder(folder: Path) -> None:
    """Let temporary files go to a folder, but for what torch compiles: it would be compiled again every time."""
    if len(os.fsencode(folder)) > _LONGEST_FOLDER:
        return
    with suppress(KeyError, OSError):  # a user without a name
        cache = Path(tempfile.gettempdir(), f"torchinductor_{getpass.getuser()}")
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache))
    with suppress(OSError):  # then they go where they would go anyway
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def _say_goodbye() -> None:
    """Let the user's code tidy up; it has been answered, so that nothing which happens here matters any more."""
    sys.unraisablehook = lambda event: None
    with suppress(BaseException):
        atexit._run_exitfuncs()
    with suppress(Exception):
        sys.stdout.flush()


class _Line:
    """The way back to the command: a descriptor that the user's code does not know.

    Attributes:
        asked: The request that came first.
        diagnosed: The report so far, once the diagnosis stands.
        stage: What was begun last.
    """

    def __init__(self, channel: int) -> None:
        self.asked = _request(channel)
        self.diagnosed: Report | None = None
        self.stage = ""
        self._token = self.asked["token"]
        self._channel = _far(channel)
        self._is = _identity(self._channel)
        self._owner = _pid()
        self._told = 0.0

    def say(self, message: dict[str, Any]) -> None:
        """Send a message; a child that the user's code forked, and that came back here, ends instead."""
        if _pid() != self._owner:
            _end(0)
        text = memoryview(packed(self._token, message))
        try:
            if _identity(self._channel) != self._is:
                _end(CHANNEL_LOST)
            while text:
                text = text[_write(self._channel, text) :]
        except OSError:  # it is closed, by the user's code or because nobody listens
            _end(CHANNEL_LOST)

    def on_stage(self, stage: str, done: int = 0, of: int | None = None) -> None:
        """Tell what is being done; how far the same stage is, only so often."""
        now = time.monotonic()
        if stage != self.stage or now - self._told > _RARELY:
            self.stage, self._told = stage, now
            self.say({"stage": [stage, done, of]})

    def on_diagnosed(self, report: Report) -> None:
        """Send the report as far as it stands, so that nothing which happens in a trial can take it away."""
        self.diagnosed = report
        self.say({"diagnosed": report_to_dict(report, exact=True)})


def _request(channel: int) -> dict[str, Any]:
    """The first message, whose token is that of all others; ends this process where nobody asks."""
    first = b""
    while not first.endswith(b"\n"):
        if not (byte := os.read(channel, 1)):
            _end(0)
        first += byte
    mail = Mail(first.split()[0].decode("ascii"))
    asked = mail.take(first)
    while not asked:
        if not (chunk := os.read(channel, 1 << 16)):
            _end(0)
        asked = mail.take(chunk)
    return asked[0]


def _far(channel: int) -> int:
    """The channel under a number that nobody opens by chance, and that no program which is started inherits."""
    import fcntl

    try:
        far = fcntl.fcntl(channel, fcntl.F_DUPFD_CLOEXEC, 500)
    except OSError:  # so many files may not be open
        return channel
    os.close(channel)
    return far


def _identity(descriptor: int) -> tuple[int, int]:
    stat = _fstat(descriptor)
    return stat.st_dev, stat.st_ino


def _answer(line: _Line, failed: BaseException | None) -> dict[str, Any]:
    """The report, or the error that there is in place of one."""
    try:
        if failed is not None:
            raise failed
        return {"report": report_to_dict(_report(line), exact=True)}
    except BaseException as raised:
        error = _error(raised)
        trace = "".join(traceback.format_exception(raised))
    if line.diagnosed is not None:
        return {"report": report_to_dict(unfinished(line.diagnosed, line.stage, error.message), exact=True)}
    told = {"kind": type(error).__name__, "message": error.message, "hint": error.hint, "frames": list(error.frames)}
    return {"error": told, "trace": trace}


def _report(line: _Line) -> Report:
    threads = line.asked["threads"]
    if "run" in line.asked:
        from gradcheck_cli.worker.runs import run_in_suite

        return run_in_suite(decode(RunOptions, line.asked["run"]), threads)
    from gradcheck_cli.pipeline import run_check

    if threads:
        import torch

        torch.set_num_threads(min(threads, torch.get_num_threads()))  # OMP_NUM_THREADS may allow fewer
    spec: CheckSpec = decode(CheckSpec, line.asked["spec"])
    return run_check(spec, line.on_stage, line.on_diagnosed)


def _error(raised: BaseException) -> GradcheckError:
    """What to tell of an exception; one that began in the user's file is theirs, whatever we were doing."""
    if isinstance(raised, GradcheckError):
        return raised
    if isinstance(raised, KeyboardInterrupt):
        return Interrupted("interrupted")
    from gradcheck_cli.target.code.usercode import is_users, message_of, user_frames

    stack = traceback.extract_tb(raised.__traceback__)
    if not (stack and is_users(stack[-1].filename)):
        return internal_error(raised)
    told = f"the code of the check raised {type(raised).__name__}: {message_of(raised)}".rstrip(": ")
    return UserCodeError(f"{told}, in between", frames=user_frames(raised))
