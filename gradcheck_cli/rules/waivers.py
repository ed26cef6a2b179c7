"""Findings that a team has looked at and decided to live with."""

from __future__ import annotations

from fnmatch import fnmatchcase

from gradcheck_cli.records.report import Finding, Waived
from gradcheck_cli.records.spec import RuleWaiver


def waive(
    findings: tuple[Finding, ...], waivers: tuple[RuleWaiver, ...]
) -> tuple[tuple[Finding, ...], tuple[Waived, ...]]:
    """Split findings into those that stay and those that waivers of their rule cover.

    A finding is covered if each of its layers is: what it says is about all of them, so one that is only partly
    covered stays whole.
    """
    reasons = {id(finding): _reason(finding, waivers) for finding in findings}
    waived = tuple(
        Waived(code=f.code, rule=f.rule, layers=f.layers, reason=reasons[id(f)]) for f in findings if reasons[id(f)]
    )
    return tuple(f for f in findings if not reasons[id(f)]), waived


def _reason(finding: Finding, waivers: tuple[RuleWaiver, ...]) -> str:
    """Why a finding is left out, or "" if it is not."""
    mine = [w for w in waivers if finding.code.startswith(w.rule.upper()) or finding.rule == w.rule]
    layers = finding.layers or ("",)  # one that names none is covered by "*"
    covering = [w for w in mine if not w.layers or any(_covers(w, layer) for layer in layers)]
    whole = any(not w.layers for w in mine)
    covered = all(any(_covers(w, layer) for w in covering) for layer in layers)
    return "; ".join(dict.fromkeys(w.reason for w in covering)) if whole or covered else ""


def _covers(waiver: RuleWaiver, layer: str) -> bool:
    return not waiver.layers or any(fnmatchcase(layer, pattern) for pattern in waiver.layers)
