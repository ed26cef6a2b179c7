"""The verdict: findings, layers and the report that carries them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradcheck_cli import __version__
from gradcheck_cli.errors import GradcheckError
from gradcheck_cli.records.choices import About, Decision, Family, Severity, Status
from gradcheck_cli.records.series import Series
from gradcheck_cli.records.source import SourceLine


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What came of trying a remedy on a copy.

    Attributes:
        outcome: "fixed" (the finding is gone), "helps", "no-effect", "worse" or "not-tried".
        before: The number that the finding was raised on, or the loss that training ends at without the remedy.
        after: The same with it.
        unit: The unit of both.
        note: Why it could not be tried, or what else it changes.
        steps: Optimiser steps that were taken with and without it; 0 if none were.
        loss_without: Mean loss of the last three steps without it.
        loss_with: The same with it.
        patch: Python source that carries it out, where it edits the model and was any good.
    """

    outcome: str = "not-tried"
    before: float | None = None
    after: float | None = None
    unit: str = ""
    note: str = ""
    steps: int = 0
    loss_without: float | None = None
    loss_with: float | None = None
    patch: str = ""

    @property
    def of_one_update(self) -> bool:
        """Whether a single update, made again on its own batch, is all that was tried."""
        return self.unit.endswith("after the update") or self.unit == "|dw|/|w|"

    @property
    def of_training(self) -> bool:
        """Whether `before` and `after` are losses that training ends at."""
        return self.unit.startswith("loss after")


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """A way to cure a finding.

    `detail` says why it works, `code` is a line to paste, `unless` says where not to use it (it reads after "not"), and
    `source` is a paper or a page of the documentation.
    """

    id: str
    title: str
    detail: str
    code: str = ""
    unless: str = ""
    source: str = ""
    trial: Trial = Trial()


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What training says of a suspicion that a number cannot decide (THEORY.md, section 4d).

    Attributes:
        about: The whole model, or the finding's layers.
        severity: How bad it is where it is confirmed; until then the finding is a note.
        decision: What it came to.
        told: How it was decided, with the numbers; empty where it was not tried.
    """

    about: About
    severity: Severity
    decision: Decision = Decision.NOT_TRIED
    told: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A part of what became of a gradient on its way from the loss.

    Attributes:
        kind: A noun in the singular, such as "sigmoid slope", "weight", "merge", "step" or an op's plain name; "shared"
            for what a layer that is well has in common with this one, and "elsewhere" for all that is left.
        where: The modules that made it, in words; empty for the last two.
        source: The user's line; None where it is not known, or not one.
        decades: What it makes of the gradient: below 0 where it makes it smaller.
        count: How many factors it has.
    """

    kind: str
    where: str
    source: SourceLine | None
    decades: float
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One illness (or note) over all the layers that it explains.

    `message` is the first line the user reads, `why` the evidence in a sentence. `known` says whether the
    baseline holds it, so that it fails nothing; None without a baseline. `opinion` is there where the numbers alone
    make it a suspicion. `shares` say where the decades of the layer that is told of were lost or won, the largest
    first; they add up to log10 of its gradient's norm.
    """

    code: str
    rule: str
    family: Family
    severity: Severity
    layers: tuple[str, ...]
    cause: str
    message: str
    why: str = ""
    op: str | None = None
    source: SourceLine | None = None
    evidence: Mapping[str, float | int | str]
    remedies: tuple[Remedy, ...] = ()
    known: bool | None = None
    opinion: Opinion | None = None
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Waived:
    """A finding that gradcheck.yaml ignores, with the reason given there."""

    code: str
    rule: str
    layers: tuple[str, ...]
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A module that directly owns parameters, judged by its parameters together.

    Attributes:
        decades: log10 of the gradient norm, that is decades from the loss; None without a gradient.
        relative_gradient: u = |g| / |w|.
        elasticity: S = |g| |w| / |loss|.
        activation_rms: RMS of what it puts out.
        stream: Norm of dloss/d(its output).
        by_kind: The decades by kind of factor, for its strongest parameter.
        status: "ok", "non-finite", "frozen", "unused", "none" (no gradient) or the code of the worst finding.
    """

    path: str
    kind: str
    parameters: int
    grad_norm: float | None
    grad_rms: float | None
    grad_max: float | None
    zero_share: float | None
    nan_count: int
    inf_count: int
    weight_norm: float
    relative_gradient: float | None
    elasticity: float | None
    decades: float | None
    activation_rms: float | None
    stream: float | None
    by_kind: Mapping[str, float]
    status: str
    source: SourceLine | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The result of one check: everything that a reporter shows.

    `hidden` counts the findings above a note that `--select`, `--ignore` or a waiver kept out.
    """

    name: str
    status: Status
    exit_code: int
    loss: float | None = None
    loss_source: str = ""
    target: Mapping[str, Any]
    versions: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    hidden: int = 0
    waived: tuple[Waived, ...] = ()
    layers: tuple[Layer, ...] = ()
    series: tuple[Series, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float]
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the check was made and found nothing at or above its `fail_on`."""
        return self.exit_code == 0


def failed_report(name: str, error: GradcheckError) -> Report:
    """The report of a check that could not be made."""
    return Report(
        name=name,
        status=Status.FAILED,
        exit_code=error.exit_code,
        target={},
        versions={"gradcheck": __version__, "python": platform.python_version()},
        seconds={},
        error=error.message,
    )
