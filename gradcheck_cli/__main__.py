"""`python -m gradcheck_cli` and the console script `gradcheck`."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line and end with its exit code."""
    gc.disable()  # importing makes no garbage, and looking for it takes a seventh of the time; see `load_target`
    _open_streams()
    try:
        from gradcheck_cli.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    _close_stdout()
    sys.exit(code)


def _open_streams() -> None:
    """A stream that was closed by whoever started us (`>&-`) is None; what is written there goes nowhere."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, "r" if name == "stdin" else "w", encoding="utf-8"))


def _close_stdout() -> None:
    """What the user's code prints from now on, at exit or from a thread, must not follow the document."""
    with suppress(OSError):
        os.dup2(2, 1)  # without a flush: the document has had its own


if __name__ == "__main__":
    main()
