"""What a model has that remedies act on, read from one measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.records.ops import LEAF, RECTIFIERS, SIGMOIDS, SOFTMAXES, SQUASHING, SUMS, VIEW_LIKE
from gradcheck_cli.records.traits import Trait, Traits

if TYPE_CHECKING:
    from gradcheck_cli.evidence.evidence import Evidence

_CLASSES = frozenset(("NllLoss", "NllLoss2D", "CtcLoss", "MultiMarginLoss"))
_BINARY = frozenset(("BinaryCrossEntropy", "BinaryCrossEntropyWithLogits", "SoftMarginLoss"))
_DISTANCES = frozenset(("MseLoss", "SmoothL1Loss", "HuberLoss"))
_CELLS = frozenset(("RNN", "RNNCell"))
_GATED_CELLS = frozenset(("LSTM", "LSTMCell", "GRU", "GRUCell"))
_RELUS = frozenset(("Relu", "Threshold", "ClampMin"))
_REACH = 500
"""Ops that are looked at below a sum for the other thing that it adds."""


def traits_of(evidence: Evidence) -> Traits:
    """All that a model has; each is looked for in time that is linear in its ops."""
    return frozenset(trait for trait, has in _LOOKS.items() if has(evidence)) | _losses(evidence)


def _stems(evidence: Evidence) -> frozenset[str]:
    return frozenset(op.stem for op in evidence.measurement.ops)


def _kinds(evidence: Evidence) -> frozenset[str]:
    return frozenset(module.kind for module in evidence.measurement.modules)


def _losses(evidence: Evidence) -> Traits:
    """The kind of loss, as far as its ops tell; a sigmoid just below it says yes or no where there is no other sign."""
    stems, references = _stems(evidence), evidence.references
    found = {
        Trait.CROSS_ENTROPY: bool(stems & _CLASSES) or references.chance is not None,
        Trait.BINARY: bool(stems & _BINARY),
        Trait.REGRESSION: bool(stems & _DISTANCES) or references.compared is not None or references.ends_in_difference,
    }
    if not any(found.values()) and "Log" in stems and not stems & (SOFTMAXES | {"LogSoftmax"}):
        found[Trait.BINARY] = not all(map(evidence.is_hidden, _of(evidence.graph, SIGMOIDS)))
    return frozenset(trait for trait, has in found.items() if has) or frozenset((Trait.OTHER_LOSS,))


def _of(graph: OpGraph, stems: frozenset[str]) -> list[int]:
    """The ops of these stems."""
    return [index for index, op in enumerate(graph.measurement.ops) if op.stem in stems]


def _input_scales(evidence: Evidence) -> list[float]:
    """RMS of every floating tensor of the batch that is no target."""
    targets = {(t.shape, t.dtype, t.rms, t.std) for t in evidence.measurement.targets}
    inputs = (t for t in evidence.measurement.inputs if (t.shape, t.dtype, t.rms, t.std) not in targets)
    return [t.rms for t in inputs if t.is_floating and t.rms is not None]


def _hidden(evidence: Evidence) -> bool:
    graph = evidence.graph
    return any(
        weighted and evidence.is_hidden(op) and graph.op(op).edges and graph.stem(op) not in VIEW_LIKE
        for op, weighted in enumerate(graph.weighted)
    )


def _squashing(evidence: Evidence) -> bool:
    between = filter(evidence.is_hidden, _of(evidence.graph, SQUASHING))
    return any(not evidence.graph.gates(op) for op in between)


def _rectified_output(evidence: Evidence) -> bool:
    inside = (op for op in _of(evidence.graph, _RELUS) if evidence.graph.op(op).module >= 0)
    return not all(map(evidence.is_hidden, inside))


def _residual(evidence: Evidence) -> bool:
    graph = evidence.graph
    return any(len(graph.op(op).edges) == 2 and _skips(graph, op) for op in _of(graph, SUMS))


def _skips(graph: OpGraph, op: int) -> bool:
    """Whether one of the two things that an op adds was made of the other, with a weight in between."""
    first, second = (_behind_views(graph, edge.to) for edge in graph.op(op).edges)
    return any(_is_read_twice(graph, x) and _weighs(graph, y, x) for x, y in ((first, second), (second, first)))


def _is_read_twice(graph: OpGraph, op: int) -> bool:
    return len(graph.senders[op]) > 1 and graph.op(op).name != LEAF


def _behind_views(graph: OpGraph, op: int) -> int:
    while graph.stem(op) in VIEW_LIKE and graph.op(op).edges and len(graph.senders[op]) == 1:
        op = graph.op(op).edges[0].to
    return op


def _weighs(graph: OpGraph, top: int, bottom: int) -> bool:
    """Whether a way leads from `top` down to `bottom` past a weight."""
    stack, seen = [(top, False)], set[tuple[int, bool]]()
    while stack and len(seen) < _REACH:
        op, weighted = stack.pop()
        weighted = weighted or graph.weighted[op]
        for edge in graph.op(op).edges:
            if edge.to == bottom and weighted:
                return True
            if edge.to < bottom and (edge.to, weighted) not in seen:  # an op stands before what it sends to
                seen.add((edge.to, weighted))
                stack.append((edge.to, weighted))
    return False


def _recurrent(evidence: Evidence) -> bool:
    return bool(evidence.paths.ledger.series) or bool(_kinds(evidence) & (_CELLS | _GATED_CELLS))


def _gated(evidence: Evidence) -> bool:
    gates = any(evidence.graph.gates(op) for op in _of(evidence.graph, SIGMOIDS))
    return gates or bool(_kinds(evidence) & _GATED_CELLS)


def _plain_recurrent(evidence: Evidence) -> bool:
    return bool(_kinds(evidence) & _CELLS) or (_recurrent(evidence) and not _gated(evidence))


def _low_weights(evidence: Evidence) -> bool:
    return any(p.dtype in ("float16", "bfloat16") for p in evidence.measurement.parameters if p.requires_grad)


_LOOKS: Mapping[Trait, Callable[[Evidence], bool]] = {
    Trait.HIDDEN: _hidden,
    Trait.CONVOLUTIONAL: lambda e: bool(_stems(e) & {"Convolution", "ConvolutionOverrideable"}),
    Trait.SQUASHING: _squashing,
    Trait.RECTIFYING: lambda e: bool(_stems(e) & RECTIFIERS),
    Trait.RECTIFIED_OUTPUT: _rectified_output,
    Trait.SOFTMAX: lambda e: bool(_stems(e) & (SOFTMAXES | {"LogSoftmax"})),
    Trait.RESIDUAL: _residual,
    Trait.GATED: _gated,
    Trait.PLAIN_RECURRENT: _plain_recurrent,
    Trait.RECURRENT: _recurrent,
    Trait.BATCH_NORMALISED: lambda e: any("BatchNorm" in stem for stem in _stems(e)),
    Trait.FLOATING_INPUTS: lambda e: bool(_input_scales(e)),
    Trait.LOW_WEIGHTS: _low_weights,
    Trait.UNDERFLOWN: lambda e: bool(e.enquiry.in_double),
    Trait.UNREACHED: lambda e: any(
        (c.outside or 0.0) >= e.thresholds.unreachable_share for c in e.references.distances
    ),
    Trait.LARGE_INPUTS: lambda e: any(rms > e.thresholds.large_input for rms in _input_scales(e)),
}
"""What says whether a measurement shows each of them."""
