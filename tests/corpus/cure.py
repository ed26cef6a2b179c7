"""Whether the remedies that gradcheck puts first do cure: `python -m tests.corpus.cure`.

For every ill model of the corpus whose cause has a remedy that can be tried, the best remedy's patch, exactly as
`--write-patch` writes it, is run on a fresh model, which is then trained in plain PyTorch: 150 steps, by each of four
standard recipes, with the patch and without. A cure removes the finding, and the best recipe ends at a loss lower by a
fifth or more than the best without it; or two recipes or more do while the best is no higher, as where an exploding
model survives under Adam only. A batch counts as learnt at a fiftieth of the patched model's first loss; where the
patch also standardises the targets, the losses are taken as shares of their start. With `--all` every remedy that is
called fixed is trained, not only the best.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from gradcheck_cli import Finding, check
from gradcheck_cli.records.report import Remedy
from gradcheck_cli.remedies import BY_CAUSE, ROWS, TrialKind
from tests.corpus import CASES, Case
from tests.corpus.case import Built
from tests.corpus.provers import SANE, Run, train

CLEARLY = 0.8
"""Share of the untreated loss that the treated one may reach at most."""
LEARNT = 0.02
BUDGET = 2000


@dataclass(frozen=True)
class Cure:
    """What came of a remedy; `pairs` holds (loss without, loss with) of every recipe."""

    case: Case
    remedy: str
    outcome: str
    pairs: tuple[tuple[float, float], ...] = ()

    @property
    def best(self) -> tuple[float, float]:
        """The losses that the best recipes end at, without and with the patch."""
        return min(without for without, _ in self.pairs), min(treated for _, treated in self.pairs)

    @property
    def worse(self) -> bool:
        """Whether the best recipe ends clearly higher with the patch."""
        return bool(self.pairs) and clearly_lower(*self.best)

    @property
    def cured(self) -> bool:
        """Whether the finding is gone and training is clearly better."""
        if self.outcome != "fixed" or not self.pairs or self.worse:
            return False
        without, treated = self.best
        lower = sum(clearly_lower(treated, without) for without, treated in self.pairs)
        return clearly_lower(treated, without) or lower >= 2


def clearly_lower(loss: float, other: float) -> bool:
    """Whether a loss, which may be infinite or negative, is lower by a fifth or more."""
    loss, other = min(loss, 1e300), min(other, 1e300)
    return loss <= other - (1 - CLEARLY) * abs(other) and loss < other


def can_be_tried(finding: Finding) -> bool:
    """Whether a remedy for the finding's cause edits the model."""
    return any(ROWS[remedy.id].tried is TrialKind.EDIT for remedy in BY_CAUSE.get(finding.cause, ()))


def cures(case: Case, every: bool = False) -> Iterator[Cure]:
    """The best remedy of the gravest finding, trained, and with `every` also the others that are called fixed."""
    model, batch, step = case.make()
    findings = check(model, batch, step=step, try_budget=BUDGET).findings
    finding = next((f for f in findings if f.severity.value != "note"), None)
    if finding is None or not can_be_tried(finding):
        return
    best, *others = finding.remedies
    if not best.trial.patch:
        yield Cure(case, best.id, best.trial.outcome)
        return
    sick = [train(case.make(), recipe) for recipe in SANE]
    for remedy in (best, *(r for r in others if every and r.trial.outcome == "fixed")):
        yield _cure(case, remedy, sick)


def _cure(case: Case, remedy: Remedy, sick: list[Run]) -> Cure:
    well = [train(patched(case, remedy.trial.patch), recipe) for recipe in SANE]
    relative = "def prepare" in remedy.trial.patch
    floor = LEARNT * abs(well[0].first) if min(run.last for run in (*sick, *well)) >= 0 else -math.inf
    pairs = []
    for one, other in zip(sick, well, strict=True):
        units = (abs(one.first), abs(other.first)) if relative else (1.0, 1.0)
        pairs.append((max(one.last, floor) / units[0], max(other.last, floor) / units[1]))
    return Cure(case, remedy.id, remedy.trial.outcome, tuple(pairs))


def patched(case: Case, patch: str) -> Built:
    """A fresh model with the patch applied to it, and to its batch where the patch asks for that."""
    model, batch, step = case.make()
    names: dict[str, Any] = {}
    exec(patch, names)
    return names["apply"](model), names.get("prepare", lambda batch: batch)(batch), step


def main() -> None:
    """Print the table, the share of the models that are cured, and the remedies that made training worse."""
    parser = argparse.ArgumentParser(description="Train every ill model with and without its remedies: some minutes.")
    parser.add_argument("--all", action="store_true", help="all remedies, not the first alone")
    parser.add_argument("--only", default="", metavar="TEXT", help="the models whose names hold this")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    table = Table("model", "remedy", "outcome", *(str(recipe) for recipe in SANE), "cured")
    cases = [case for case in CASES if case.status == "ill" and case.family != "nonfinite"]
    found = [list(cures(case, every=asked.all)) for case in cases if asked.only in case.name]
    for made in (one for of_case in found for one in of_case):
        cells = [f"{without:.2g} → {treated:.2g}" for without, treated in made.pairs] or [""] * len(SANE)
        table.add_row(made.case.name, made.remedy, made.outcome, *cells, "yes" if made.cured else "no")
    first = [of_case[0] for of_case in found if of_case]
    cured = sum(made.cured for made in first)
    worse = [f"{m.case.name} ({m.remedy})" for of_case in found for m in of_case if m.outcome == "fixed" and m.worse]
    console = Console(width=140)
    console.print(
        table, f"{cured} of {len(first)} models cured by the remedy that came first: {cured / max(len(first), 1):.0%}"
    )
    console.print(f"called fixed, and training is clearly worse: {', '.join(worse) or 'none'}")


if __name__ == "__main__":
    main()
