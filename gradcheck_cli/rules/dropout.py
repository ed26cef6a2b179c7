"""GC220: dropout that leaves next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import counted, named, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def heavy_dropout(evidence: Evidence) -> Diagnoses:
    """Dropout puts nearly all of a signal to 0, and what is left is multiplied to make up for it.

    nn.Dropout(p) is given the share that is dropped, where others are given the share that is kept: 0.5 and 0.1 are
    usual, 0.95 mostly stands for 0.05. What a layer gets then changes more from pass to pass than from sample to
    sample. A wide model may learn all the same, so training decides.
    """
    limit = evidence.thresholds.dropped_share
    modules = evidence.measurement.modules
    heavy = [m for m in modules if m.calls and m.dropped >= limit]
    if not heavy:
        return
    most, calls = max(m.dropped for m in heavy), sum(m.calls for m in heavy)
    layers = tuple(m.path for m in heavy)
    yield Diagnosis(
        layers=layers,
        cause="dropout-too-high",
        message=f"{named(layers)} {verb(layers, 'drops', 'drop')} {percent(most)} of what goes in, "
        f"{counted(calls, 'time')} in a pass",
        why="p is the share that is dropped, not the share that is kept; what is left is mostly noise of the mask",
        numbers={"dropped": most, "calls": calls},
        doubt=About.WHOLE,
    )
