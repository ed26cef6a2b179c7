"""What runs in the process of one check: one answer, and nothing of it outlives its reader."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.suite.worker import work

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="starts its process by a fork")

FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
MODEL = """
import os, sys, tempfile
import torch
from torch import nn
{first}
model = nn.Linear(3, 2)
batch = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
def loss(output, target):
    {then}
    return nn.functional.cross_entropy(output, target)
"""
PATIENCE = 60.0


@dataclass
class Worker:
    """The process of one check, with our ends of its pipes."""

    process: multiprocessing.Process
    answer: Connection
    output: Connection

    def report(self) -> Report:
        assert self.answer.poll(PATIENCE)
        return self.answer.recv()

    def written(self) -> str:
        self.process.join(PATIENCE)
        return os.read(self.output.fileno(), 1 << 16).decode()


def started(folder: Path, first: str = "", then: str = "pass") -> Worker:
    (folder / "m.py").write_text(MODEL.format(first=first, then=then))
    planned = PlannedCheck(name="mine", spec=CheckSpec(model=str(folder / "m.py")))
    (answer, answering), (output, outputting) = FORK.Pipe(duplex=False), FORK.Pipe(duplex=False)
    process = FORK.Process(target=_work, args=(planned, answer, answering, outputting, str(folder)), daemon=True)
    process.start()
    answering.close()
    outputting.close()
    return Worker(process, answer, output)


def _work(
    planned: PlannedCheck, theirs: Connection, answering: Connection, outputting: Connection, folder: str
) -> None:
    theirs.close()  # a fork has it as well, and would read its own answer
    work(planned, answering, outputting, 1, folder)


def test_a_check_answers_with_its_report_and_what_it_prints_goes_elsewhere(tmp_path: Path) -> None:
    worker = started(tmp_path, first="os.write(1, b'from the file')", then="os.write(2, b'from the descriptor')")
    report = worker.report()
    assert report.status is Status.HEALTHY
    assert [layer.path for layer in report.layers] == ["(Linear)"]
    written = worker.written()
    assert "from the file" in written and "from the descriptor" in written
    assert worker.process.exitcode == 0


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("raise ValueError('the user is wrong')", "raised ValueError: the user is wrong"),
        ("sys.exit(3)", "called sys.exit(3)"),
    ],
)
def test_a_check_that_cannot_be_made_answers_too(tmp_path: Path, first: str, told: str) -> None:
    report = started(tmp_path, first=first).report()
    assert (report.status, report.name, report.exit_code) == (Status.FAILED, "mine", 2)
    assert told in report.error


def test_code_that_forks_and_comes_back_twice_answers_once(tmp_path: Path) -> None:
    worker = started(tmp_path, first="os.fork()")
    assert worker.report().status is Status.HEALTHY
    worker.process.join(PATIENCE)
    with pytest.raises(EOFError):
        worker.answer.recv()


def test_temporary_files_lie_under_the_folder_of_the_check(tmp_path: Path) -> None:
    worker = started(tmp_path, first="os.write(1, f'{tempfile.gettempdir()} {os.environ[\"TMPDIR\"]}'.encode())")
    worker.report()
    assert f"{tmp_path} {tmp_path}" in worker.written()


def test_a_check_ends_with_the_one_who_reads_its_answer(tmp_path: Path) -> None:
    worker = started(tmp_path, first="os.write(1, b'running')\nwhile True: pass")
    assert os.read(worker.output.fileno(), 7) == b"running"
    assert os.getpgid(worker.process.pid) == worker.process.pid  # in a group of its own, with what it starts
    worker.answer.close()
    worker.process.join(PATIENCE)
    assert worker.process.exitcode == -signal.SIGKILL
