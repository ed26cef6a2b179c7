"""Remedies of a run whose learning rate rose just before: it has a warm-up, so that its height and pace count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradcheck_cli.records.raterise import RateRise
from gradcheck_cli.records.report import Remedy
from gradcheck_cli.words import count_of


def after_rise(remedies: Sequence[Remedy], rise: RateRise) -> tuple[Remedy, ...]:
    """The remedies in words for a rate that rose; a lower one is the first where no other came out better."""
    best = remedies[0].trial.outcome if remedies else ""
    told = [_worded(remedy, rise) for remedy in remedies]
    return tuple(sorted(told, key=lambda each: each.id != "lower-lr" or each.trial.outcome != best))


def _worded(remedy: Remedy, rise: RateRise) -> Remedy:
    if remedy.id == "lower-lr":
        return replace(
            remedy,
            title=remedy.title.replace("a smaller learning rate", "a lower peak of the learning rate"),
            detail=f"What the schedule reaches is what counts. {remedy.detail}",
            code=f"{remedy.code}  # what the schedule reaches, not what it starts from",
        )
    if remedy.id == "warmup":
        took = f"It rose within {count_of(rise.last_step - rise.first_step, 'step')}."
        title = "let the learning rate rise more slowly"
        return replace(remedy, title=title, detail=f"{took} {remedy.detail}", code="")
    return remedy
