"""The command line with a pipeline that gives what the test says, so that no model is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gradcheck_cli import pipeline
from gradcheck_cli.cli import run
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.spec import CheckSpec
from tests.reports.examples import vanishing

Outcome = Report | BaseException


@dataclass
class Stub:
    """Stands in for `run_check`: gives or raises `outcome`, and keeps the specs it was given."""

    outcome: Outcome = field(default_factory=vanishing)
    specs: list[CheckSpec] = field(default_factory=list)

    def __call__(self, spec: CheckSpec, on_stage: Callable[[str], None]) -> Report:
        self.specs.append(spec)
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
    monkeypatch.setattr(pipeline, "run_check", stub)
    return stub


@pytest.fixture
def gradcheck(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def call(*arguments: str) -> Ended:
        code = run(arguments)
        caught = capsys.readouterr()
        return Ended(code, caught.out, caught.err)

    return call
