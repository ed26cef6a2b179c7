"""`python -m gradcheck_cli` and the console script `gradcheck`."""

from __future__ import annotations

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]  # the working folder, where a file of the user's may be called json.py

import gc
import os
from contextlib import suppress
from typing import NoReturn

from gradcheck_cli import signals


def main() -> NoReturn:
    """Run the command line and end with its exit code."""
    try:
        signals.install()
        gc.disable()  # importing makes no garbage, and looking for it takes a seventh of the time; see `load_target`
        _open_streams()
        from gradcheck_cli.cli import run

        code = run(sys.argv[1:])
        _close_stdout()
    except KeyboardInterrupt as pressed:
        code = 128 + signals.number_of(pressed)
    if "torch" in sys.modules:
        sys.exit(code)  # the user's code ran here, and may have something to do at exit
    os._exit(code)  # at once: nothing may end otherwise than the code says


def _open_streams() -> None:
    """A stream that was closed by whoever started us (`>&-`) is None; what is written there goes nowhere."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(nowhere, True)  # by the processes that we start, as a stream is
            setattr(sys, name, os.fdopen(nowhere, "r" if name == "stdin" else "w", encoding="utf-8"))


def _close_stdout() -> None:
    """What the user's code prints from now on, at exit or from a thread, must not follow the document."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    with suppress(OSError):
        os.dup2(2, 1)


if __name__ == "__main__":
    main()
