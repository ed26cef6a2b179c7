"""Where a report goes: one document to stdout, and files that appear whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from gradcheck_cli.cli.failing import tell
from gradcheck_cli.errors import ReportError, UsageError
from gradcheck_cli.names import did_you_mean
from gradcheck_cli.reports import FORMATS, Style, render

if TYPE_CHECKING:
    from gradcheck_cli.reports import Result

PAGE_WIDTH = 100
"""Columns of a report that goes to a file or a pipe."""


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


def parse_outputs(texts: Sequence[str]) -> tuple[Output, ...]:
    """Read every `FORMAT=PATH`, and see that its folder is there before any work is done.

    Raises:
        UsageError: One is malformed, or two name the same file.
        ReportError: A folder is missing, or the path is one.
    """
    outputs = tuple(_parse_output(text) for text in texts)
    for output in outputs:
        if [other.path for other in outputs].count(output.path) > 1:
            raise UsageError(f"--output names {output.path} twice", hint="Give each format its own file.")
    return outputs


def _parse_output(text: str) -> Output:
    format, separator, path = text.partition("=")
    if not separator or not path:
        raise UsageError(f"--output `{text}` is not FORMAT=PATH", hint="Write --output json=report.json.")
    file = Path(os.path.realpath(Path(path).expanduser()))
    if file.is_dir():
        raise ReportError(f"--output {text}: {path} is a folder", hint="Name a file in it.")
    if not file.parent.is_dir():
        raise ReportError(f"--output {text}: there is no folder {file.parent}", hint="Make it first.")
    return Output(format=parse_format(format, "--output"), path=file)


def deliver(result: Result, outputs: Sequence[Output], format: str | None, style: Style) -> tuple[int, str | None]:
    """Write a result to its files; return 0, or 2 if one failed, and the document for stdout, if any.

    The files come first, so that the document can say that one could not be written.
    """
    failed = [error for output in outputs if (error := _write(result, output, style))]
    for error in failed:
        tell(error)
        result = _failed_to_write(result, error)
    return 2 if failed else 0, None if format is None else render(result, format, style)


def _failed_to_write(result: Result, error: ReportError) -> Result:
    from gradcheck_cli.reports.comparison import Comparison

    if isinstance(result, Comparison):
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
    """Write a file through a neighbour that takes its place, so that no reader sees half of it.

    Raises:
        ReportError: It cannot be written; what was there before is untouched.
    """
    # A device or a pipe must be written to, not replaced by a file.
    special = path.exists() and not path.is_file()
    draft = path if special else path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        if not special:
            draft.replace(path)
    except OSError as error:
        if not special:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        raise ReportError(
            f"{path}: cannot be written: {error.strerror or error}",
            hint="Check the path, its permissions and the space on the disk.",
        ) from error


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
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except OSError as error:
        name = "stderr" if stream is sys.stderr else "stdout"
        raise ReportError(f"{name} cannot be written: {error.strerror or error}") from error
