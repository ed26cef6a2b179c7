"""GC401, GC406 and the notes on layers that no gradient was meant to reach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gradcheck_cli.records.measurement import Cut
from gradcheck_cli.records.ops import CHOICES, plain_op
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.wording import counted, named, number, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def graph_cut(evidence: Evidence) -> Diagnoses:
    """A layer ran and its values were used, but no gradient comes back: the graph was cut behind it.

    The usual knives are `.detach()`, `.data`, `torch.tensor(x)`, a trip through numpy, `no_grad` around
    a part that should learn, and choices such as argmax or comparisons, which have no derivative.
    """
    behind: dict[Cut, list[int]] = defaultdict(list)
    for module, cut in _cut_layers(evidence).items():
        behind[cut].append(module)
    for cut, modules in behind.items():
        layers = tuple(evidence.graph.path_of(m) for m in modules)
        yield Diagnosis(
            layers=layers,
            cause="non-differentiable-op" if cut.op in CHOICES else "graph-cut",
            message=f"{named(layers)} cannot learn: {_shown(cut.op)} cuts {verb(layers, 'it', 'them')} off from the "
            "loss",
            why=f"{verb(layers, 'it ran and has', 'they ran and have')} no gradient: the only way to the loss leads "
            f"through {_shown(cut.op)}, which no gradient passes",
            op=cut.op,
            source=cut.source,
            numbers={"layers": len(layers)},
        )


def _cut_layers(evidence: Evidence) -> Mapping[int, Cut]:
    """The layers that ran and got no gradient, with the cut that each lies behind, if one is known."""
    cuts = {m: evidence.graph.cuts.get(m) for m, layer in evidence.layers.items() if layer.status == "none"}
    return {m: max(found, key=lambda cut: cut.used) for m, found in cuts.items() if found}


def _shown(op: str) -> str:
    known = {"data": ".data", "numpy": ".numpy()", "item": ".item()", "tensor": "torch.tensor()"}
    return f"`{known.get(op, op.strip('_') + '()')}`"


def custom_backward(evidence: Evidence) -> Diagnoses:
    """A custom autograd Function received a gradient and returned None for an input that needs one.

    Its backward has to return one gradient for each input of its forward; None stands for zero, and
    everything below the Function stops learning.
    """
    behind = _behind_custom(evidence)
    if behind:
        op = min(behind.values())
        layers = tuple(evidence.graph.path_of(m) for m in behind)
        name = plain_op(evidence.graph.op(op).name)
        yield Diagnosis(
            layers=layers,
            cause="custom-backward",
            message=f"{named(layers)} cannot learn: the backward of `{name}` returns None",
            why=f"a gradient of norm {number(evidence.graph.op(op).total, 2)} arrives there and none leaves",
            op=op,
            numbers={"layers": len(layers)},
        )


def _behind_custom(evidence: Evidence) -> Mapping[int, int]:
    """The layers that got no gradient and lie behind custom Functions that sent none, with the first of these."""
    lost = [m for m, layer in evidence.layers.items() if layer.status == "none"]
    return {m: op for m in lost if (op := evidence.blocking.of(m).custom) is not None}


_SKIPPED = "a layer that is not called learns nothing: right where a router skips it, a mistake elsewhere"
_LEADS_NOWHERE = (
    "no gradient comes back: right for a target network or a head that was not asked, and a mistake elsewhere"
)


def unused(evidence: Evidence) -> Diagnoses:
    """A layer that can learn was not used for this loss: it was not called, or its output went nowhere."""
    cut = {*_cut_layers(evidence), *_behind_custom(evidence)}
    layers = evidence.layers.items()
    idle = tuple(evidence.graph.path_of(m) for m, layer in layers if layer.status == "unused")
    lost = tuple(evidence.graph.path_of(m) for m, layer in layers if layer.status == "none" and m not in cut)
    if idle:
        yield _note("unused", idle, f"{named(idle)} {verb(idle, 'was', 'were')} not called", _SKIPPED)
    if lost:
        yield _note("unused", lost, f"{named(lost)} ran, but the output does not reach the loss", _LEADS_NOWHERE)


def frozen(evidence: Evidence) -> Diagnoses:
    """A layer's parameters do not require a gradient, so it stays as it is."""
    found = {evidence.graph.path_of(m): layer for m, layer in evidence.layers.items() if layer.status == "frozen"}
    if found:
        layers = tuple(found)
        count = sum(layer.parameters for layer in found.values())
        message = f"{named(layers)} {verb(layers, 'is', 'are')} frozen (requires_grad is False)"
        why = f"training does not change {verb(layers, 'its', 'their')} {counted(count, 'parameter')}"
        yield _note("frozen", layers, message, why)


def _note(cause: str, layers: tuple[str, ...], message: str, why: str) -> Diagnosis:
    return Diagnosis(layers=layers, cause=cause, message=message, why=why, numbers={"layers": len(layers)})
