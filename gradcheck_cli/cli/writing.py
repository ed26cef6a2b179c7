"""Where a report goes: one document to stdout, and files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from gradcheck_cli.cli.failing import tell
from gradcheck_cli.errors import ReportError, UsageError
from gradcheck_cli.opening import Unreadable, is_special, look
from gradcheck_cli.reports import FORMATS, Style, render
from gradcheck_cli.suffixes import SOURCES, suffix_of
from gradcheck_cli.words import did_you_mean

if TYPE_CHECKING:
    from gradcheck_cli.reports import Result

PAGE_WIDTH = 100
"""Columns of a report that goes to a file or a pipe."""
_READER = 2.0
"""Seconds that a pipe's reader has to open it."""
_STREAM = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})|/dev/(stdout|stderr)", re.ASCII)
_NAMED_STREAMS = {"stdout": 1, "stderr": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One `--output FORMAT=PATH`."""

    format: str
    path: Path


def parse_format(text: str, option: str = "--format") -> str:
    """Return `text` if it names a format.

    Raises:
        UsageError: It does not.
    """
    if text in FORMATS:
        return text
    hint = f"Use one of {', '.join(FORMATS)}."
    raise UsageError(f"{option}: `{text}` is not a format{did_you_mean(text, FORMATS)}", hint=hint)


def parse_outputs(texts: Sequence[str], given: Iterable[str | None] = ()) -> tuple[Output, ...]:
    """Read every `FORMAT=PATH`, and see that it can be written before any work is done.

    Args:
        texts: What --output was given.
        given: What else the command line names, over which no report is written.

    Raises:
        UsageError: One is malformed, two name the same file, or one would take the place of what is read.
        ReportError: A folder is missing, or the path is one.
    """
    named = tuple(given)
    outputs = tuple(_parse_output(text, named) for text in texts)
    for output in outputs:
        if [other.path for other in outputs].count(output.path) > 1:
            raise UsageError(f"--output names {output.path} twice", hint="Give each format its own file.")
    return outputs


def _parse_output(text: str, given: Sequence[str | None]) -> Output:
    format, separator, path = text.partition("=")
    if not separator or not path:
        raise UsageError(f"--output `{text}` is not FORMAT=PATH", hint="Write --output json=report.json.")
    file = destination(path, f"--output {text}", given)
    if suffix_of(file) in SOURCES and file.is_file():
        raise UsageError(f"--output {text}: is there already, and is no report", hint="Name another file.")
    return Output(format=parse_format(format, "--output"), path=file)


def destination(path: str, option: str, given: Iterable[str | None] = ()) -> Path:
    """Where to write what a user names: the end of its links, or a device, a pipe or a stream as it is.

    Args:
        path: As they named it.
        option: What the messages begin with: the option and its value.
        given: What else the command line names: files, perhaps with `:NAME`, or anything.

    Raises:
        UsageError: It is one of those.
        ReportError: Nothing can be written there.
    """
    named = Path(path)
    with suppress(RuntimeError):  # the home of somebody who is not known here
        named = named.expanduser()
    try:
        look(named)
    except Unreadable as error:
        if stream_of(named) is not None or is_special(named):
            return named
        if not error.missing:
            raise ReportError(f"{option}: {error}", hint="Name a file.") from error
    file = Path(os.path.realpath(named))
    if path.endswith(("/", os.sep)):
        raise ReportError(f"{option}: is a folder", hint="Name a file in it.")
    if not os.path.isdir(file.parent):  # noqa: PTH112 - of a name that is too long as well
        raise ReportError(f"{option}: there is no folder {file.parent}", hint="Make it first.")
    for text in given:
        if any(_is_same(file, name) for name in (text or "", (text or "").rpartition(":")[0])):
            raise UsageError(f"{option}: is read here, and would be lost", hint="Name another file.")
    return file


def _is_same(file: Path, name: str) -> bool:
    try:
        return bool(name) and os.path.samefile(file, name)  # noqa: PTH121 - names that no file can have are no paths
    except (OSError, ValueError):
        return False


def deliver(
    result: Result, outputs: Sequence[Output], format: str | None, style: Style, *, redact: bool = False
) -> tuple[int, str | None]:
    """Write a result to its files; return 0, or 2 if one failed, and the document for stdout, if any.

    The files come first, so that the document can say that one could not be written; with `redact`, without its folder.
    """
    failed = [error for output in outputs if (error := _write(result, output, style))]
    for error in failed:
        tell(error, redact=redact)
        result = _failed_to_write(result, error)
    if failed and redact:
        from gradcheck_cli.records.redacting import redacted

        result = redacted(result)
    return 2 if failed else 0, None if format is None else render(result, format, style)


def _failed_to_write(result: Result, error: ReportError) -> Result:
    from gradcheck_cli.reports.comparison import ReportComparison

    if isinstance(result, ReportComparison):
        return result
    return replace(result, exit_code=error.exit_code, error=error.message)


def _write(result: Result, output: Output, style: Style) -> ReportError | None:
    page = replace(style, width=PAGE_WIDTH, color=False, unicode=True)
    try:
        write_file(output.path, render(result, output.format, page))
    except ReportError as error:
        return error
    return None


def write_file(path: Path, text: str) -> None:
    """Write a file, to the end of its links, with its mode, and so that no reader sees half of it.

    Raises:
        ReportError: It cannot be written; what was there before is untouched.
    """
    content = text.encode("utf-8", "backslashreplace")
    try:
        if (stream := stream_of(path)) is not None:
            _write_all(os.dup(stream), content)
        elif is_special(path):
            _write_all(_opened(path), content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except OSError as error:
        raise ReportError(
            f"{path}: cannot be written: {error.strerror or error}",
            hint="Check the path, its permissions and the space on the disk.",
        ) from error


def stream_of(path: Path) -> int | None:
    """The descriptor that a name such as /dev/stderr stands for; to open it would fail, or begin it anew."""
    found = _STREAM.fullmatch(str(path))
    return None if found is None else int(found[1]) if found[1] else _NAMED_STREAMS[found[2]]


def _replace(path: Path, content: bytes) -> None:
    """Put a new file in the place of a path, by a draft beside it whose name is short, as the path's may not be."""
    draft = path.with_name(f".gradcheck-{os.urandom(4).hex()}.tmp")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        if path.exists():
            old = path.stat()
            draft.chmod(stat.S_IMODE(old.st_mode))
            with suppress(OSError, AttributeError):  # not ours to give away, or no such thing
                os.chown(draft, old.st_uid, old.st_gid)
        _write_all(descriptor, content)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _opened(path: Path) -> int:
    """A device, or a pipe from which somebody reads within `_READER` seconds."""
    end = time.monotonic() + _READER
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:  # noqa: PERF203 - somebody is waited for
            if error.errno != errno.ENXIO or time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def _write_all(descriptor: int, content: bytes) -> None:
    """Write and close."""
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def own_stdout() -> TextIO:
    """A stream to stdout that only we hold, so that it can be written while everyone else's is diverted."""
    try:
        descriptor = os.dup(sys.stdout.fileno())
    except (OSError, ValueError):  # a notebook's or a test's stdout, which diverting leaves alone
        return sys.stdout
    return os.fdopen(descriptor, "w", encoding=sys.stdout.encoding)


def emit(text: str, stream: TextIO | None = None) -> None:
    """Write the document to a stream, by default stdout; a reader that has gone away, as `head`, changes nothing.

    Raises:
        ReportError: The stream cannot take it, for instance because the disk is full.
    """
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    content = text.encode(encoding, "backslashreplace")
    try:
        stream.flush()
        try:
            descriptor = os.dup(stream.fileno())
        except (OSError, ValueError):  # a notebook's or a test's
            stream.write(content.decode(encoding))
            stream.flush()
        else:
            _write_all(descriptor, content)  # past the stream's buffer, which would fail once more at exit
    except BrokenPipeError:
        return
    except OSError as error:
        name = "stderr" if stream is sys.stderr else "stdout"
        raise ReportError(f"{name} cannot be written: {error.strerror or error}") from error
