"""What judging takes and gives: which findings to show, those that were found, and the numbers they were raised on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gradcheck_cli.records.report import Finding, Layer, Waived
from gradcheck_cli.records.spec import RuleWaiver

E = TypeVar("E")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which findings are shown: code prefixes or rule names, and those that a team has decided to live with."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    waivers: tuple[RuleWaiver, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What came of judging a measurement.

    Attributes:
        layers: All layers, with their status.
        findings: Those to show, gravest first; without remedies.
        hidden: How many above a note are not shown.
        waived: Those that a waiver left out, with its reason.
    """

    layers: tuple[Layer, ...]
    findings: tuple[Finding, ...]
    hidden: int
    waived: tuple[Waived, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingNumber:
    """A number with its unit; `badness` is in decades, or in layers, and 0 is well."""

    value: float
    unit: str
    badness: float


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedStep(Generic[E]):
    """One step that was measured and judged.

    Attributes:
        evidence: What was gathered from the measurement.
        verdict: What was found.
        read: Reads the number that a finding of this model was raised on from this evidence.
    """

    evidence: E
    verdict: Verdict
    read: Callable[[Finding], FindingNumber | None]
