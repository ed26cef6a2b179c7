"""GC417: a state that is carried on without its graph, so that only the last call learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import counted

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

_FEWEST = 2
"""Calls that lose their gradient, from which on it is a loop."""


def severed_calls(evidence: Evidence) -> Diagnoses:
    """A module is called again and again on what it made, which is detached each time: only the last call learns.

    A state that is cut between batches is truncated backpropagation through time, and as it should be; one that is cut
    at every step of one loss learns nothing of what came before the last. Iterations to a fixed point are cut on
    purpose, so training decides: where the model learns all the same it is a note.
    """
    for cut in evidence.measurement.severed:
        calls = evidence.measurement.modules[cut.module].calls
        if cut.calls < _FEWEST or cut.calls != calls - 1:
            continue
        layer = evidence.graph.path_of(cut.module)
        yield Diagnosis(
            layers=(layer,),
            cause="graph-cut",
            message=f"only the last of {calls} calls of `{layer}` gets a gradient: `{cut.op}` takes what the "
            f"{counted(cut.calls, 'call')} before it carry on out of the graph",
            why="what came before the last call cannot be learned from; between batches is where a state is cut",
            op=cut.op,
            source=cut.source,
            numbers={"calls": calls, "severed": cut.calls},
            doubt=About.WHOLE,
        )
