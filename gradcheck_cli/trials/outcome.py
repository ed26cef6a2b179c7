"""What a trial came to, from what was measured before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.judging import FindingNumber
from gradcheck_cli.records.report import Finding, Remedy, Trial

CLEAR = 0.5
"""Decades by which a number has to move to count: a factor of three."""
SAME = 0.02
"""Share by which two losses have to differ to count."""
LEARNT = 0.02
"""Share of the loss at the start below which a batch is learnt."""
CLEARLY = 0.8
"""Share of the untreated loss that a treated one reaches at most, where training confirms a remedy."""
LEARNED = 0.85
"""Share of Lm, what one answer for every sample costs, below which a trained copy has learned: none of the 29 ill
models whose trunk gets nothing ended below 0.86 (THEORY.md, section 4d)."""
RANK = {"fixed": 0, "helps": 1, "no-effect": 2, "not-tried": 3, "worse": 4}
"""Every outcome, the best first."""


def measured_outcome(
    finding: Finding,
    before: Sequence[Finding],
    after: Sequence[Finding],
    numbers: tuple[FindingNumber | None, FindingNumber | None],
) -> tuple[str, str]:
    """The outcome by findings and by the finding's own number, with a note where it needs one."""
    codes = {f.code for f in before}
    new = sorted({f.code for f in after if f.severity is not Severity.NOTE} - codes)
    if not any(f.code == finding.code and (f.severity is not Severity.NOTE or f.opinion) for f in after):
        if new:
            return "worse", f"it brings {', '.join(new)} instead"
        was, now = numbers
        if was is not None and now is not None and now.badness >= was.badness > 0:  # told in another way, as a note
            return "no-effect", ""
        return "fixed", ""
    was, now = numbers
    if was is None or now is None:
        return "no-effect", ""
    moved = was.badness - now.badness
    if abs(moved) < CLEAR:
        return "no-effect", ""
    return ("helps", "") if moved > 0 else ("worse", "")


def trained_outcome(without: float, trained: float, start: float) -> str:
    """The outcome by two losses after as many steps; below a fiftieth of the loss at the start, all is learnt."""
    if not math.isfinite(trained):
        return "worse" if math.isfinite(without) else "no-effect"
    if not math.isfinite(without):
        return "helps"
    if without >= 0 and trained >= 0:
        without, trained = max(without, LEARNT * abs(start)), max(trained, LEARNT * abs(start))
    margin = SAME * max(abs(without), abs(trained))
    return "no-effect" if abs(trained - without) <= margin else "helps" if trained < without else "worse"


def gain(answers: tuple[float, float] | None) -> float | None:
    """(Lm - L) / |Lm| of a loss and what one answer for every sample costs; None where that cannot be had, or is 0.

    A loss may have no floor, so that it is the difference that counts and not the ratio.
    """
    if answers is None or not all(map(math.isfinite, answers)) or not answers[1]:
        return None
    loss, mean = answers
    return (mean - loss) / abs(mean)


def learned(before: tuple[float, float] | None, after: tuple[float, float] | None) -> bool:
    """Whether training took a copy below `LEARNED` of its own Lm, and lower against it than at its start."""
    start, end = gain(before), gain(after)
    return start is not None and end is not None and end > max(start, 1 - LEARNED)


class Yardstick(NamedTuple):
    """What trained losses are held against.

    Attributes:
        unit: A loss; losses that differ by less than a tenth of it are the same. None compares them as they are.
        nothing: What no prediction costs. Another way of training that ends above it cures nothing.
    """

    unit: float | None = None
    nothing: float | None = None


def ranked(remedies: Sequence[Remedy], yardstick: Yardstick = Yardstick()) -> tuple[Remedy, ...]:  # noqa: B008 - frozen
    """The remedies, the best first; those that come to the same keep their order.

    First those that training confirms, then by outcome, then by the loss that training ends at.

    Args:
        remedies: In the order of their places for the cause.
        yardstick: What trained losses are held against.
    """

    def key(remedy: Remedy) -> tuple[int, int, float]:
        trial = remedy.trial
        return _tier(trial, yardstick.nothing), RANK[trial.outcome], _share(trial, yardstick.unit)

    return tuple(sorted(remedies, key=key))


def trains_well(trial: Trial) -> bool:
    """Whether the edited model ends at a clearly lower loss than the model as it was, after as many steps."""
    without, trained = trial.loss_without, trial.loss_with
    if without is None or trained is None or trial.of_training or not math.isfinite(trained):
        return False
    return trained < without and (without == math.inf or trained <= without - (1 - CLEARLY) * abs(without))


def _tier(trial: Trial, nothing: float | None) -> int:
    """0 where training confirms a good outcome, 1 where not, 2 for other outcomes, 3 for what treats the symptom."""
    if trial.outcome not in ("fixed", "helps"):
        return 2
    if trial.of_training and nothing is not None and trial.loss_with is not None and trial.loss_with > nothing:
        return 3
    return 0 if trains_well(trial) else 1


def _share(trial: Trial, unit: float | None) -> float:
    """What training leaves of the loss: in tenths of `unit`, else as it is; the most where it was not trained."""
    if trial.loss_with is None:
        return math.inf
    return round(trial.loss_with / unit, 1) if unit else trial.loss_with
