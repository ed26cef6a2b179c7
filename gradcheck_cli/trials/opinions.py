"""The second opinion: training decides what a number cannot (THEORY.md, section 4d)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradcheck_cli.records.choices import About, Decision
from gradcheck_cli.records.report import Finding, Remedy
from gradcheck_cli.runtime.modelcopy import independent_copy
from gradcheck_cli.trials.bench import Bench
from gradcheck_cli.trials.budget import LATE, OutOfBudget
from gradcheck_cli.trials.learning import CopyLearning, Treatment, chance, treated, untreated
from gradcheck_cli.trials.outcome import gain
from gradcheck_cli.trials.participation import Opening, OpeningUnknown, opening
from gradcheck_cli.trials.training import LONGER, Recipe

STUCK = 0.01
"""Share of Lm by which a copy that learned nothing ends below it at most. That alone proves nothing, since slow is not
ill; beside a module that was built for the task and is not called, it does."""
MOST = 3
"""Remedies of a suspicion under which copies are trained for longer, the best first."""


class Opinions:
    """Decides suspicions by training copies; what a copy learns without a remedy is found once for all of them."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._untreated: dict[Recipe, CopyLearning] = {}

    def untreated(self, finding: Finding) -> Finding:
        """The finding as copies without a remedy decide it, or as it was where only one with a remedy can.

        Raises:
            OutOfBudget: Too few passes are left.
            Exception: Whatever the user's code raises.
        """
        part = finding.opinion is not None and finding.opinion.about is About.PART
        return self._part(finding) if part else self._whole(finding)

    def treated(self, finding: Finding, best: Sequence[Treatment]) -> Finding:
        """The finding as copies under its best remedies decide it, where those without one did not learn.

        The first under which one learns confirms it and comes first among its remedies; without one it is undecided.

        Raises:
            OutOfBudget: Too few passes are left.
            Exception: Whatever the user's code raises.
        """
        useful = [t for t in best if t.trains_alike and t.remedy.trial.outcome in ("fixed", "helps")][:MOST]
        ends: list[tuple[CopyLearning, Remedy]] = []
        for treatment in useful:
            for without in self._untreated.values():
                found = treated(self._bench, finding, treatment, without.recipe)
                if found.learned:
                    return _confirmed(finding, treatment.remedy, without, found)
                ends.append((found, treatment.remedy))
        if any(remedy.trial.note == LATE for remedy in finding.remedies):
            raise OutOfBudget
        if finding.cause == "not-in-loss" and all(map(_is_stuck, self._untreated.values())):
            return decided(finding, Decision.CONFIRMED, _ended(list(self._untreated.values())))
        told = f"{_ended(list(self._untreated.values()))}; {_best(ends) if ends else 'no remedy that was tried helps'}"
        return decided(finding, Decision.UNDECIDED, told)

    def _whole(self, finding: Finding) -> Finding:
        known = next(iter(self._untreated.values()), None)
        start = known.start if known else self._start()
        if start is None:
            return decided(finding, Decision.UNDECIDED, "what one answer for every sample costs cannot be had here")
        for recipe in self._bench.recipes:
            if recipe not in self._untreated:
                self._untreated[recipe] = untreated(self._bench, recipe, start)
            if self._untreated[recipe].learned:
                return self._refuted(finding, self._untreated[recipe])
        return finding

    def _start(self) -> tuple[float, float] | None:
        self._bench.rewind()
        return chance(self._bench, self._bench.on(independent_copy(self._bench.model)))

    def _refuted(self, finding: Finding, found: CopyLearning) -> Finding:
        assert found.start is not None
        failed = [recipe.name for recipe, other in self._untreated.items() if not other.learned]
        told = (
            f"looks extreme at the start, and trains: {LONGER} steps of {found.recipe.name} take the loss from "
            f"{found.start[0]:.3g} to {found.told}" + "".join(f"; it does not learn under {name}" for name in failed)
        )
        return decided(replace(finding, remedies=()), Decision.REFUTED, told)

    def _part(self, finding: Finding) -> Finding:
        shut: list[Opening] = []
        try:
            for recipe in self._bench.recipes:
                found = opening(self._bench, finding, recipe)
                if found is not None and found.opens:
                    return decided(replace(finding, remedies=()), Decision.REFUTED, f"opens by itself: {found.told}")
                shut += [found] if found is not None else []
        except OpeningUnknown as reason:
            return decided(finding, Decision.UNDECIDED, str(reason))
        if on_its_way := [each for each in shut if each.is_opening]:
            found = on_its_way[0]
            told = f"it is opening: from {found.start:.1f} decades below its peers on, {found.told}"
            return decided(replace(finding, remedies=()), Decision.UNDECIDED, told)
        if moving := [each for each in shut if each.moves]:
            return decided(finding, Decision.CONFIRMED, f"stays shut: {moving[0].told}")
        why = f"nothing moves: {shut[0].told}" if shut else "training it does not stay finite"
        return decided(finding, Decision.UNDECIDED, why)


def decided(finding: Finding, decision: Decision, told: str) -> Finding:
    """The finding with what its opinion came to, and as grave as that makes it."""
    opinion = finding.opinion
    assert opinion is not None
    severity = opinion.severity if decision is Decision.CONFIRMED else finding.severity
    return replace(finding, severity=severity, opinion=replace(opinion, decision=decision, told=told))


def _confirmed(finding: Finding, remedy: Remedy, without: CopyLearning, found: CopyLearning) -> Finding:
    end = f"{LONGER} steps of {without.recipe.name} end at a loss of {without.told}"
    told = f"{end}; with `{remedy.title}` at {found.told}"
    first = (remedy, *(other for other in finding.remedies if other.id != remedy.id))
    return decided(replace(finding, remedies=first), Decision.CONFIRMED, told)


def _is_stuck(found: CopyLearning) -> bool:
    """Whether training came to no more than one answer for every sample."""
    share = gain(found.end)
    return share is not None and share < STUCK


def _ended(learnings: Sequence[CopyLearning]) -> str:
    """Where copies without a remedy end."""
    return f"{LONGER} steps " + ", and ".join(f"of {one.recipe.name} end at a loss of {one.told}" for one in learnings)


def _best(ends: Sequence[tuple[CopyLearning, Remedy]]) -> str:
    """Where the best of the copies with a remedy ends."""
    found, remedy = max(ends, key=lambda end: gain(end[0].end) or -1e30)
    return f"with `{remedy.title}` of {found.recipe.name} at {found.told}"
