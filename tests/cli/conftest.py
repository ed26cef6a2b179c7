"""The command line with a check that gives what the test says, so that no model is run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest

from gradcheck_cli import suite
from gradcheck_cli.cli import run
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.worker import launch
from tests.reports.examples import vanishing

Outcome = Report | BaseException


@dataclass
class Stub:
    """Stands in for `run_one`: gives or raises `outcome`, and keeps what was planned."""

    outcome: Outcome = field(default_factory=vanishing)
    planned: list[PlannedCheck] = field(default_factory=list)

    @property
    def specs(self) -> list[CheckSpec]:
        return [one.spec for one in self.planned]

    def __call__(self, planned: PlannedCheck, on_stage: Callable[..., None], on_output: object) -> Report:
        self.planned.append(planned)
        on_stage("probing [red]")
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()
    monkeypatch.setattr(suite, "run_one", stub)
    monkeypatch.setattr(launch, "beginning", lambda wanted: nullcontext())
    return stub


@pytest.fixture
def gradcheck(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def call(*arguments: str) -> Ended:
        code = run(arguments)
        caught = capsys.readouterr()
        return Ended(code, caught.out, caught.err)

    return call
