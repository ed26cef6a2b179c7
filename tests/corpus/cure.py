"""Whether the remedies that gradcheck puts first do cure: `python -m tests.corpus.cure`.

For every ill model of the corpus whose cause has a remedy that can be tried, the best remedy's patch, exactly as
`--write-patch` writes it, is run on a fresh model, which is then trained in plain PyTorch: 100 steps, by each of four
standard recipes, with the patch and without. A cure removes the finding, and the best recipe ends at a loss lower by a
fifth or more than without it; or two recipes or more do while the best is no higher, as where an exploding model is
trained by Adam only. A batch counts as learnt at a fiftieth of the patched model's first loss; where the patch also
standardises the targets, the losses are taken as shares of their start.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from gradcheck_cli import Finding, check
from gradcheck_cli.remedies import BY_CAUSE
from gradcheck_cli.trials.plans import PLANS
from tests.corpus import CASES, Case
from tests.corpus.case import Built
from tests.corpus.provers import SANE, train

CLEARLY = 0.8
"""Share of the untreated loss that the treated one may reach at most."""
LEARNT = 0.02
"""Share of the treated model's first loss below which a batch is learnt, and further differences do not count."""
BUDGET = 60.0
RECIPES = tuple(replace(recipe, steps=100) for recipe in SANE)


@dataclass(frozen=True)
class Cure:
    """What came of the best remedy of a case; `pairs` holds (loss without, loss with) of every recipe."""

    case: Case
    remedy: str
    outcome: str
    pairs: tuple[tuple[float, float], ...] = ()

    @property
    def better(self) -> int:
        """Under how many recipes the patched model ends clearly lower."""
        return sum(clearly_lower(treated, without) for without, treated in self.pairs)

    @property
    def worse(self) -> int:
        """Under how many recipes it ends clearly higher."""
        return sum(clearly_lower(without, treated) for without, treated in self.pairs)

    @property
    def cured(self) -> bool:
        """Whether the finding is gone and training is clearly better."""
        if self.outcome != "fixed" or not self.pairs:
            return False
        without, treated = (min(losses) for losses in zip(*self.pairs, strict=True))
        most = self.better >= 2 and not clearly_lower(without, treated)
        return self.better >= self.worse and (clearly_lower(treated, without) or most)


def clearly_lower(loss: float, other: float) -> bool:
    """Whether a loss, which may be infinite or negative, is lower by a fifth or more."""
    loss, other = min(loss, 1e300), min(other, 1e300)
    return loss <= other - (1 - CLEARLY) * abs(other) and loss < other


def can_be_tried(finding: Finding) -> bool:
    """Whether a remedy for the finding's cause edits the model."""
    return any(remedy in PLANS for remedy in BY_CAUSE.get(finding.cause, ()))


def cure(case: Case) -> Cure | None:
    """Try the best remedy of the gravest finding; None where no remedy for its cause can be tried."""
    model, batch, step = case.make()
    findings = check(model, batch, step=step, try_budget=BUDGET).findings
    finding = next((f for f in findings if f.severity.value != "note"), None)
    if finding is None or not can_be_tried(finding):
        return None
    best = finding.remedies[0]
    if not best.trial.patch:
        return Cure(case, best.id, best.trial.outcome)
    relative = "def prepare" in best.trial.patch
    pairs = []
    for recipe in RECIPES:
        sick, well = train(_patched(case, ""), recipe), train(_patched(case, best.trial.patch), recipe)
        units = (abs(sick.first), abs(well.first)) if relative else (1.0, 1.0)
        floor = LEARNT * abs(well.first) if min(sick.last, well.last) >= 0 else -math.inf
        pairs.append((max(sick.last, floor) / units[0], max(well.last, floor) / units[1]))
    return Cure(case, best.id, best.trial.outcome, tuple(pairs))


def _patched(case: Case, patch: str) -> Built:
    """A fresh model with the patch applied to it, and to its batch where the patch asks for that."""
    model, batch, step = case.make()
    if patch:
        names: dict[str, Any] = {}
        exec(patch, names)
        model = names["apply"](model)
        batch = names["prepare"](batch) if "prepare" in names else batch
    return model, batch, step


def cures() -> list[Cure]:
    """All ill models of the corpus whose cause has a remedy that can be tried."""
    cases = [case for case in CASES if case.status == "ill" and case.family != "nonfinite"]
    return [made for case in cases if (made := cure(case)) is not None]


def main() -> None:
    """Print the table of all cases, and the share of those that are cured."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    table = Table("model", "best remedy", "outcome", *(str(recipe) for recipe in RECIPES), "cured")
    found = cures()
    for made in found:
        cells = [f"{without:.2g} → {treated:.2g}" for without, treated in made.pairs] or [""] * len(RECIPES)
        table.add_row(made.case.name, made.remedy, made.outcome, *cells, "yes" if made.cured else "no")
    cured = sum(made.cured for made in found)
    worse = [made.case.name for made in found if made.outcome == "fixed" and made.worse > made.better]
    console = Console(width=140)
    console.print(table, f"{cured} of {len(found)} cured: {cured / len(found):.0%}")
    told = "called fixed although training is worse under more recipes than it is better"
    console.print(f"{told}: {', '.join(worse) or 'none'}")


if __name__ == "__main__":
    main()
