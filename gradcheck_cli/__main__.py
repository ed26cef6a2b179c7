"""`python -m gradcheck_cli` and the console script `gradcheck`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line and end with its exit code."""
    try:
        from gradcheck_cli.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    _close_stdout()
    sys.exit(code)


def _close_stdout() -> None:
    """What the user's code prints from now on, at exit or from a thread, must not follow the document."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        os.dup2(2, 1)


if __name__ == "__main__":
    main()
