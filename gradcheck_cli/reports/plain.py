"""Findings as plain lines, and where they stand: what the formats for machines have in common."""

from __future__ import annotations

import math
import re
from pathlib import Path, PurePath

from gradcheck_cli.records.choices import Decision, Severity
from gradcheck_cli.records.group import of_kind
from gradcheck_cli.records.report import Finding, Remedy, Report, Share, Trial
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports.glyphs import shown
from gradcheck_cli.reports.verdicts import seconds_of
from gradcheck_cli.words import listing

SAME = 0.02
"""Share of a loss below which a difference is none."""
_DECIDED_BY = {
    Decision.CONFIRMED: "trained",
    Decision.REFUTED: "trained",
    Decision.UNDECIDED: "undecided",
    Decision.NOT_TRIED: "undecided",
}
_FOLDERS = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:)?[\\/](?:[^\s\\/:]+[\\/])+")


def suite_of_one(report: Report) -> SuiteReport:
    """A report as the suite that holds nothing else."""
    return SuiteReport(
        name=report.name, checks=(report,), exit_code=report.exit_code, seconds=seconds_of(report) or 0.0
    )


def level(report: Report, finding: Finding) -> Severity:
    """How loudly to tell a finding: what is known or does not fail its check is a note."""
    return finding.severity if report.exit_code and not finding.known else Severity.NOTE


def finding_lines(finding: Finding) -> list[str]:
    """The layers, why, how it was decided, and every remedy with what it came to; each line is safe to print."""
    lines = [f"layers: {listing(finding.layers)}"] * bool(finding.layers)
    lines += [f"why: {finding.why}"] * bool(finding.why)
    lines += [f"{label}: {told}" for label, told in opinion_in_words(finding)]
    lines += [f"try: {remedy.title}{_trial(remedy)}" for remedy in finding.remedies]
    return [shown(line) for line in lines]


def opinion_in_words(finding: Finding) -> list[tuple[str, str]]:
    """How a suspicion was decided, as a label and what is told; nothing where its numbers decide it.

    The label is `trained`, or `undecided`.
    """
    opinion = finding.opinion
    return [(_DECIDED_BY[opinion.decision], opinion.told)] if opinion is not None and opinion.told else []


def suspicions_in_words(report: Report) -> list[str]:
    """Every suspicion that is not confirmed, for formats that tell no other notes of a finding."""
    return [
        f"{finding.code} {finding.message}; {label}: {told}"
        for finding in report.findings
        if finding.severity is Severity.NOTE
        for label, told in opinion_in_words(finding)
    ]


def trial_in_words(remedy: Remedy) -> str:
    """`fixed, -8.5 → -1.9 decades; loss after 20 steps 0.41 instead of 2.3`, or nothing where it was not tried."""
    trial = remedy.trial
    if trial.outcome == "not-tried":
        return ""
    parts = [part for part in (numbers_in_words(trial), training_in_words(trial), trial.note) if part]
    return ", ".join(filter(None, (outcome_in_words(trial), "; ".join(parts))))


def outcome_in_words(trial: Trial) -> str:
    """What came of it, and of what alone: `fixed for this one update` promises nothing of those to come."""
    return f"{trial.outcome} for this one update" if trial.of_one_update else trial.outcome


def numbers_in_words(trial: Trial) -> str:
    """`-8.5 → -1.9 decades`; nothing where they were not measured."""
    if trial.before is None or trial.after is None:
        return ""
    if trial.of_training and is_same(trial.before, trial.after):
        return f"{trial.after:.3g} {trial.unit}, no different"
    return f"{trial.before:.3g} → {trial.after:.3g} {trial.unit}".rstrip()


def training_in_words(trial: Trial) -> str:
    """What training came to; nothing where there was none, or where `before` and `after` are those losses."""
    if trial.loss_with is None or trial.loss_without is None or trial.of_training:
        return ""
    if is_same(trial.loss_without, trial.loss_with):
        return f"training is no different after {trial.steps} steps"
    return f"loss after {trial.steps} steps {trial.loss_with:.3g} instead of {trial.loss_without:.3g}"


def is_same(loss: float, other: float) -> bool:
    """Whether two losses differ by less than a fiftieth, which says nothing."""
    return loss == other or abs(loss - other) < SAME * max(abs(loss), abs(other)) < math.inf


def _trial(remedy: Remedy) -> str:
    return f" (tried: {words})" if (words := trial_in_words(remedy)) else ""


def below_here(file: str) -> str | None:
    """`file` relative to the current folder, with forward slashes; None where it lies elsewhere."""
    path = PurePath(file)
    if path.is_absolute():
        here = Path.cwd()
        if not path.is_relative_to(here):
            return None
        path = path.relative_to(here)
    return None if ".." in path.parts else path.as_posix()


def without_folders(text: str) -> str:
    """`text` with every absolute path cut down to its last part, so that it tells nothing of the machine."""
    return _FOLDERS.sub("", text)


def share_in_words(share: Share) -> str:
    """A share in a line: `-6.1 decades in 10 sigmoid slopes of `layers.0` .. `layers.9` (10 layers), net.py:7`."""
    if share.kind in _WORDS:
        return f"{share.decades:+.1f} decades {_WORDS[share.kind]}"
    line = f", {share.source.file}:{share.source.line}" if share.source else ""
    where = f" of {share.where}" if share.where else ""
    return f"{share.decades:+.1f} decades in {of_kind(share.count, share.kind)}{where}{line}"


_WORDS = {"shared": "on the way that other layers share with it", "elsewhere": "elsewhere"}
