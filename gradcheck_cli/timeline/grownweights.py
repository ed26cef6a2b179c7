"""Findings of a later step that blame the weights a model began with, where its first step shows them well."""

from __future__ import annotations

from dataclasses import replace

from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.timeline import Replay, Why
from gradcheck_cli.remedies import remedies_for

_INITIAL, _GROWN = "large-init", "lr-too-high"


def grown(finding: Finding, process: Process, step: int) -> Finding:
    """The finding, with what made the weights large in place of how they began, where that is another thing.

    Weights that are too large at step N and were not at step 1 were made so by the updates between them.

    Args:
        finding: One of a step.
        process: The run.
        step: Which step.
    """
    first = next((d for d in process.diagnosed if d.why is Why.FIRST and d.replay is Replay.EXACT), None)
    if finding.cause != _INITIAL or first is None or first.step >= step:
        return finding
    if any(each.cause == _INITIAL for each in first.report.findings):
        return finding
    why = f"{finding.why}; at step {first.step} they were not: the updates since then have made them so"
    remedies = remedies_for(_GROWN) if finding.remedies else ()
    return replace(finding, cause=_GROWN, why=why, remedies=remedies)
