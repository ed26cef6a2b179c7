"""Run the user's code: whatever it raises becomes one clear error, whatever it prints goes to stderr."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

import gradcheck_cli
from gradcheck_cli.errors import GradcheckError, Interrupted, UserCodeError
from gradcheck_cli.target.code.advice import advice
from gradcheck_cli.target.code.locating import start

_OWN = Path(gradcheck_cli.__file__).resolve().parent
_STDLIB = tuple(Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib"))
_MOST_FRAMES = 8
_LONGEST_MESSAGE = 500
_TORCH = re.compile(r"-packages[/\\]torch[/\\]")
# Where torch's own traceback of a worker, or of its C++ code, begins in a message.
_WORKERS = re.compile(r"Caught \w+ in .+\.\nOriginal Traceback")
_WORKERS_FRAME = re.compile(r'File "(.+)", line (\d+), in (.+)\n    (.*)')
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}\b")
"""Where an object lies: another place in every run."""
_NATIVE = re.compile(r'[\s"]*\nException raised from ')


@contextmanager
def user_code(doing: str) -> Iterator[None]:
    """Run a block of the user's code; `doing` says what, such as "importing model.py".

    Raises:
        UserCodeError: The block raised, or called sys.exit.
        Interrupted: KeyboardInterrupt, which may be Ctrl-C or the user's code: the two look alike.
    """
    try:
        yield
    except GradcheckError:
        raise
    except BaseException as exc:
        raise as_error(doing, exc) from exc


def as_error(doing: str, exc: BaseException, *, detail: str = "") -> GradcheckError:
    """Turn an exception of the user's code into an error with the user's own frames."""
    if isinstance(exc, GradcheckError):
        return exc
    frames = user_frames(exc)
    if isinstance(exc, KeyboardInterrupt):
        return Interrupted(f"interrupted {'in' if doing.startswith('the ') else 'while'} {doing}", frames=frames)
    problem, hint = _in_words(exc, importing=doing.startswith("importing"))
    told = f"{doing} {problem}\n  {detail}" if detail else f"{doing} {problem}"
    return UserCodeError(told, hint=hint, frames=frames)


def _in_words(exc: BaseException, *, importing: bool) -> tuple[str, str]:
    """What happened and what to do, the first as a sentence's second half."""
    if isinstance(exc, SystemExit):
        return (
            f"called {getattr(exc, 'call', 'sys.exit')}({exc.code!r})",
            "Put what only a script does under `if __name__ == '__main__':`."
            if importing
            else "Raise an error instead.",
        )
    if isinstance(exc, ModuleNotFoundError) and exc.name:
        return (
            f"needs the module `{exc.name}`, which cannot be found",
            "Install it where gradcheck is installed, or run gradcheck from the folder that holds it.",
        )
    if type(exc).__name__ == "BdbQuit":
        return "stopped in the debugger, which has no terminal here", "Add --in-process to the command."
    if isinstance(exc, RecursionError):
        return (
            "recursed without end (RecursionError)",
            "Look for a function that calls itself in the lines below.",
        )
    if _is_out_of_memory(exc):
        return f"ran out of memory ({type(exc).__name__})", "Use a smaller batch or a smaller model."
    message = message_of(exc)
    return f"raised {type(exc).__name__}: {message}".rstrip(": "), advice(exc, message, importing=importing)


def _is_out_of_memory(exc: BaseException) -> bool:
    # torch has a class of its own for a GPU, and a plain RuntimeError for the CPU.
    named = isinstance(exc, MemoryError) or type(exc).__name__ == "OutOfMemoryError"
    return named or (isinstance(exc, RuntimeError) and "can't allocate memory" in message_of(exc))


def message_of(exc: BaseException) -> str:
    """An exception's text, cut to a readable length; never raises."""
    try:
        text = str(exc).strip()
    except Exception:
        # A broken __str__ must not hide where the exception came from.
        return "(its message cannot be read)"
    if _WORKERS.match(text):
        # What the worker raised is the last line that is not indented.
        text = next(line for line in reversed(text.splitlines()) if line[:1].strip()).partition(": ")[2]
    text = _ADDRESS.sub("at 0x...", _NATIVE.split(text)[0])
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " ..."


def user_frames(exc: BaseException) -> tuple[str, ...]:
    """The traceback's frames in the user's own files, outermost first, as "  file:line in f\\n    code".

    Where none is left (the error came from a library alone) the last frames outside gradcheck stand in.
    """
    stack = traceback.extract_tb(exc.__traceback__)
    frames = [_format(frame) for frame in stack if is_users(frame.filename)]
    if isinstance(exc, SyntaxError) and exc.filename and exc.lineno:
        frames.append(f"  {_shown(exc.filename)}:{exc.lineno}\n    {(exc.text or '').strip()}".rstrip())
    frames += [
        f"  {_shown(file)}:{line} in {name}\n    {code}"
        for file, line, name, code in _WORKERS_FRAME.findall(_workers_text(exc))
        if is_users(file)
    ]
    if not frames:
        frames = [_format(frame) for frame in stack if not _is_internal(frame.filename)][-2:]
    return _shortened(frames)


def _workers_text(exc: BaseException) -> str:
    """The traceback that a DataLoader's worker, or a replica, put into its message."""
    with suppress(Exception):
        return str(exc) if _WORKERS.match(str(exc)) else ""
    return ""


def _format(frame: traceback.FrameSummary) -> str:
    line = f"  {_shown(frame.filename)}:{frame.lineno} in {frame.name}"
    return f"{line}\n    {frame.line}" if frame.line else line


def _shown(filename: str) -> str:
    path = Path(filename)
    with suppress(ValueError, OSError):
        return str(path.resolve().relative_to(start()))
    return filename


def _shortened(frames: list[str]) -> tuple[str, ...]:
    if len(frames) <= _MOST_FRAMES:
        return tuple(frames)
    half = _MOST_FRAMES // 2
    return (*frames[:half], f"  ... {len(frames) - _MOST_FRAMES} more frames", *frames[-half:])


@cache
def is_users(filename: str) -> bool:
    """Whether a file is the user's own: not of torch, of gradcheck, of the standard library or installed."""
    if _is_internal(filename):
        return False
    path = Path(filename).resolve()
    if {"site-packages", "dist-packages"} & set(path.parts):
        return False
    return not any(path.is_relative_to(folder) for folder in _STDLIB)


@cache
def _is_internal(filename: str) -> bool:
    # "<eval_with_key>" is code that torch.fx generates; how torch calls a forward or an op explains nothing.
    if filename.startswith(("<frozen", "<eval_with_key")) or _TORCH.search(filename):
        return True
    return Path(filename).resolve().is_relative_to(_OWN)


class _HardExit(SystemExit):
    call = "os._exit"


@contextmanager
def no_hard_exit() -> Iterator[None]:
    """Let os._exit raise in this process: a model that leaves without a word must not pass as a check that was made.

    A forked child, such as a DataLoader's worker, still ends by it.
    """
    original, process = os._exit, os.getpid()

    def leave(status: int) -> NoReturn:
        if os.getpid() != process:
            original(status)
        raise _HardExit(status)

    os._exit = leave
    try:
        yield
    finally:
        os._exit = original


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Send what is printed inside to stderr: stdout carries one document and nothing else.

    The file descriptor is redirected too, for output of C++ code and of child processes.
    """
    with _descriptor_to_stderr(), redirect_stdout(sys.stderr):
        yield


@contextmanager
def _descriptor_to_stderr() -> Iterator[None]:
    try:
        sys.stdout.flush()
        saved = os.dup(1)
        os.dup2(2, 1)
    except (OSError, ValueError, AttributeError):
        # No usable descriptor (a GUI, a closed stdout): nothing to protect.
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError, ValueError, AttributeError):  # the user's code may have closed it
            sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
