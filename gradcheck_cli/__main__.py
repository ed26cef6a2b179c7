"""`python -m gradcheck_cli` and the console script `gradcheck`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end with its exit code."""
    try:
        from gradcheck_cli.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
