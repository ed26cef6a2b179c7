"""`--log-to`: what is read of a run, for the tool in which people look at their own curves while it trains."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gradcheck_cli.errors import ReportError, UsageError

if TYPE_CHECKING:
    from gradcheck_cli.watch.sessionreader import News

_KNOWN = "tensorboard"
_HINT = "Write --log-to tensorboard, or --log-to tensorboard=DIR."
_USUAL = "runs/gradcheck-%Y%m%d-%H%M%S"
"""Below the folder that scripts which use SummaryWriter have: `tensorboard --logdir runs` shows both."""
_PREFIX = "gradcheck/"
_STEPWISE = ("loss", "grad_norm", "rate", "scale")


@contextmanager
def logging_to(asked: str | None) -> Iterator[TensorBoard | None]:
    """What logs the news while the block runs; None where nothing is asked for.

    Args:
        asked: The value of --log-to: `tensorboard`, or that with `=` and a folder.

    Raises:
        UsageError: It is nothing that is known, or is not installed.
        ReportError: The folder cannot be made.
    """
    if asked is None:
        yield None
        return
    tool, given, folder = asked.partition("=")
    if tool != _KNOWN or (given and not folder):
        raise UsageError(f"--log-to `{asked}` is not known", hint=_HINT)
    writer = _record_writer()
    path = Path(folder or time.strftime(_USUAL)).expanduser()
    with _opened(path) as file:
        yield TensorBoard(writer(file), path)


class TensorBoard:
    """Writes scalars as TensorBoard reads them: `gradcheck/loss`, `gradcheck/grad_norm`, ..., `gradcheck/loss/1`.

    Args:
        records: Writes a record: tensorboard's RecordWriter. Its EventFileWriter would start a thread, which takes the
            signals that are meant for the script.
        folder: Where that is.
    """

    def __init__(self, records: Any, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._records, self._folder = records, folder
        self._failed = ""
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def __call__(self, news: News) -> None:
        """Write what is new; once that has failed, no more."""
        if self._failed:
            return
        try:
            self._scalars(news)
            self._records.flush()
        except OSError as error:
            self._failed = error.strerror or str(error)

    @property
    def told(self) -> str:
        """Where the curves are, as a note."""
        if self._failed:
            return f"--log-to: {self._folder}: cannot be written: {self._failed}; the curves there are not whole"
        return f"the curves are in {self._folder}, under {_PREFIX}: tensorboard --logdir {self._folder.parent}"

    def _scalars(self, news: News) -> None:
        from gradcheck_cli.timeline.courses import SAMPLED

        for vital in news.vitals:
            for name in _STEPWISE:
                self._scalar(name, vital.optimizer, vital.step, getattr(vital, name))
        for sample in news.samples:
            for name, read in SAMPLED.items():
                known = [value for value in read(sample) if value is not None and not math.isnan(value)]
                self._scalar(name, sample.optimizer, sample.step, max(known, default=None))

    def _scalar(self, name: str, optimizer: int, step: int, value: float | None) -> None:
        """Of what has a value a layer it is the largest."""
        if value is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        tag = f"{_PREFIX}{name}/{optimizer}" if optimizer else f"{_PREFIX}{name}"
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        self._write(Event(wall_time=time.time(), step=step, summary=summary))

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())


def _record_writer() -> Callable[[BinaryIO], Any]:
    try:
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError as error:
        hint = "pip install tensorboard, where gradcheck is installed."
        raise UsageError(f"--log-to tensorboard: it cannot be imported: {error}", hint=hint) from error
    writer: Callable[[BinaryIO], Any] = RecordWriter
    return writer


@contextmanager
def _opened(folder: Path) -> Iterator[BinaryIO]:
    import socket

    name = f"events.out.tfevents.{time.time():010.0f}.{socket.gethostname()}.{os.getpid()}.gradcheck"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / name).open("wb")
    except OSError as error:
        message = f"--log-to: {folder}: cannot be written: {error.strerror or error}"
        raise ReportError(message, hint="Name a folder that you may write to.") from error
    with file:
        yield file
