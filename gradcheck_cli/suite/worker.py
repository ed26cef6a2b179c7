"""What runs in the process of one check."""

from __future__ import annotations

import os
import select
import signal
import tempfile
import threading
from multiprocessing.connection import Connection
from typing import Any

from gradcheck_cli.errors import GradcheckError
from gradcheck_cli.records.report import Report, failed_report
from gradcheck_cli.records.suite import PlannedCheck


def work(
    planned: PlannedCheck, answer: Connection[Any, Any], output: Connection[Any, Any], threads: int, folder: str
) -> None:
    """Make one check and send its report through `answer`; what else it writes goes to `output` and under `folder`."""
    if hasattr(os, "setsid"):
        os.setsid()  # so that what the check starts can be ended with it
        threading.Thread(target=_end_with_reader, args=(answer.fileno(),), daemon=True).start()
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    process = os.getpid()
    report = _report(planned, threads)
    if os.getpid() != process:
        os._exit(0)  # the user's code forked and came back twice: only one may answer
    answer.send(report)


def _end_with_reader(answering: int) -> None:
    """End this process and all that it started once nobody can read its answer: the suite was killed."""
    poll = select.poll()
    poll.register(answering, 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll()):
        os.killpg(0, signal.SIGKILL)


def _report(planned: PlannedCheck, threads: int) -> Report:
    try:
        import torch

        from gradcheck_cli.pipeline import run_check

        torch.set_num_threads(threads)
        return run_check(planned.spec)
    except GradcheckError as error:
        return failed_report(planned.name, error)
    except BaseException as raised:
        return failed_report(planned.name, GradcheckError(f"internal error: {type(raised).__name__}: {raised}"))
