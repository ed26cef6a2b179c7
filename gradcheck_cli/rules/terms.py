"""GC215 and GC216: a term of the loss that is flat where the output lies, and one that outweighs the others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import permutations
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.ops import CLAMPS, MEANS_AND_SUMS, PROBABILITY_CALLS, SCALINGS, SIGMOIDS, VIEW_LIKE
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence
    from gradcheck_cli.evidence.terms import Addend, Meeting

_ON_THE_WAY = SCALINGS | MEANS_AND_SUMS | VIEW_LIKE | CLAMPS | {"Neg", "Rsub"}
"""What lies between a term and the logarithm that it takes, and between that and a sigmoid."""
_LOGS = frozenset(("Log", "Log1P"))
_LOG_OF_RESTS = frozenset(("Softplus", "LogSigmoid"))
"""What takes the logarithm of 1 - p of a logit at once."""
_STEPS = 8


def minimax_loss(evidence: Evidence) -> Diagnoses:
    """A generator minimises log(1 - p), which is flat where the discriminator is sure that its samples are false.

    The slope at a logit is p itself, next to nothing there, where that of -log p is 1 - p: the surer the discriminator,
    the less the generator hears. Adam, which scales small gradients up, may get out of it; plain SGD does not.
    """
    for addend in evidence.terms.addends:
        flat = _flat(evidence, addend) if addend.value < 0 else None
        if flat is None:
            continue
        op, share = flat
        layers = tuple(evidence.graph.path_of(m) for m in evidence.trainable)
        left = max((edge.norm for edge in evidence.graph.op(op).edges), default=0.0)
        yield Diagnosis(
            layers=layers,
            cause="minimax-loss",
            message=f"the loss is the logarithm of 1 - p, and flat here: p is next to 0 for {percent(share)} of the "
            f"samples, so {named(layers)} hardly {verb(layers, 'learns', 'learn')}",
            why=f"the term is {number(addend.value, 2)}, and {number(left, 2)} is left of its gradient behind "
            f"{evidence.graph.maker_of(op)}; -log p is steep where p is small",
            op=op,
            numbers={"term": addend.value, "flat_share": share},
        )
        return


def _flat(evidence: Evidence, addend: Addend) -> tuple[int, float] | None:
    """The op of a term that is flat for most samples, with their share; None where the term is no log(1 - p)."""
    least = evidence.thresholds.saturated_output_share
    log = _first(evidence, addend.ops[0])
    stem = evidence.graph.stem(log)
    if stem in _LOG_OF_RESTS:
        op = log
    elif stem in _LOGS:
        op = _first(evidence, evidence.graph.op(log).edges[0].to)
        if evidence.graph.stem(op) not in SIGMOIDS or not _is_flat_side(evidence, log, op):
            return None
    else:
        return (log, 1.0) if _is_sure(evidence, log) else None
    lens = evidence.graph.lenses.get(op)
    return (op, lens.saturated) if lens is not None and (lens.saturated or 0.0) >= least and lens.saturated else None


def _first(evidence: Evidence, op: int) -> int:
    """The first op, from `op` down, that is no scale, mean, view or `1 - x`."""
    for _ in range(_STEPS):
        if evidence.graph.stem(op) not in _ON_THE_WAY or len(evidence.graph.op(op).edges) != 1:
            break
        op = evidence.graph.op(op).edges[0].to
    return op


def _is_flat_side(evidence: Evidence, log: int, sigmoid: int) -> bool:
    """Whether next to nothing is left behind the sigmoid; where p is 1 the logarithm makes up for its slope."""
    arrived = evidence.graph.op(log).total
    left = max((edge.norm for edge in evidence.graph.op(sigmoid).edges), default=0.0)
    return 0 < left < _LEFT * arrived


_LEFT = 0.01
"""Share of a gradient that is next to nothing: p, where log(1 - p) is flat."""


def _is_sure(evidence: Evidence, op: int) -> bool:
    """Whether it is a cross entropy of yes and no, with one label for all, that every output agrees with."""
    for found in evidence.measurement.comparisons:
        if found.op != op or found.function not in PROBABILITY_CALLS or found.target.least != found.target.most:
            continue
        logits = found.function.endswith("logits")
        bound = math.log(_LEFT / (1 - _LEFT)) if logits else _LEFT
        if found.target.most == 0:
            return found.output.most < bound
        return found.target.most == 1 and found.output.least > (-bound if logits else 1 - bound)
    return False


def loss_balance(evidence: Evidence) -> Diagnoses:
    """One term of the loss outweighs another by far where both pull at the same layers.

    Told where a penalty, which compares nothing with the data, has 30 times the gradient of an error, or one error
    10,000 times that of another: training then lowers the first and hardly hears the second. It is a note, since the
    weights of terms are the user's to choose; the usual reason is a mean in one and a sum in the other.
    """
    found = list(_outweighing(evidence))
    if not found:
        return
    heavy, light, met = max(found, key=lambda each: each[2].first / each[2].second)
    ratio, loss = met.first / met.second, evidence.measurement.loss
    yield Diagnosis(
        severity=Severity.NOTE,
        cause="loss-balance",
        message=f"a term of the loss outweighs another: {_shown(evidence, heavy)}, {number(heavy.value)} of "
        f"{number(loss)}, has {number(ratio, 2)} times the gradient of {_shown(evidence, light)}, "
        f"{number(light.value)}, where both come together",
        why=f"gradients of norm {number(met.first, 2)} and {number(met.second, 2)} meet at "
        f"{evidence.graph.maker_of(met.op)}; if `{light.name}` is what counts, weigh the terms anew, or take the mean, "
        "or the sum, over the same dimensions in both",
        op=heavy.ops[0],
        numbers={"ratio": ratio, "heavy": heavy.value, "light": light.value},
    )


def _shown(evidence: Evidence, addend: Addend) -> str:
    source = evidence.graph.source_of(addend.ops[0])
    return f"`{addend.name}`" + (f" (line {source.line})" if source else "")


def _outweighing(evidence: Evidence) -> Iterator[tuple[Addend, Addend, Meeting]]:
    limits, addends = evidence.thresholds, evidence.terms.addends
    for (first, heavy), (second, light) in permutations(enumerate(addends), 2):
        met = evidence.terms.meeting(first, second) if light.given else None
        least = limits.outweighing_error if heavy.given else limits.outweighing_penalty
        if met is not None and math.isfinite(met.first) and met.first >= least * met.second > 0:
            yield heavy, light, met
