"""How a command fails: every exception becomes one error, told once, with an exit code that is never 1."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress

from gradcheck_cli.errors import GradcheckError, Interrupted, internal_error
from gradcheck_cli.reports.commands import harmless
from gradcheck_cli.reports.glyphs import shown
from gradcheck_cli.signals import arrived, number_of


def as_error(raised: BaseException) -> GradcheckError:
    """The error to tell: what was raised, an interruption, or a fault of our own."""
    if isinstance(raised, GradcheckError):
        return raised
    if isinstance(raised, KeyboardInterrupt):
        return Interrupted("interrupted", number=number_of(raised))
    if number := arrived():
        return Interrupted("interrupted", number=number)
    return internal_error(raised)


def tell(error: GradcheckError, raised: BaseException | None = None, *, redact: bool = False) -> None:
    """Print an error on stderr, once; with the traceback of `raised` where it is given.

    With `redact`, without values of the data and folders.
    """
    if redact:
        from gradcheck_cli.records.redacting import redacted_error, without_folders

        error = redacted_error(error)
        if raised is not None:
            say(without_folders("".join(traceback.format_tb(raised.__traceback__))) + type(raised).__name__)
    elif raised is not None:
        say("".join(traceback.format_exception(raised)).rstrip("\n"))
    say(f"error: {error.message}")
    for frame in error.frames:
        say(frame)
    if error.hint:
        say(f"hint: {error.hint}")


def say(text: str) -> None:
    """Print text on stderr, whatever it holds and whatever stderr can take."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    with suppress(OSError, ValueError):  # a closed stderr must not hide the exit code
        print(plain(text).encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def plain(text: str) -> str:
    """Lines of text that quote names of the user's: no control character, no command to a CI runner."""
    return harmless("\n".join(shown(line.expandtabs(4)) for line in text.split("\n")))
