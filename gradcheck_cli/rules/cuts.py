"""GC401, GC406 and GC407: no gradient comes back, since the graph was cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Cut, ParameterMeasurement
from gradcheck_cli.records.ops import CHOICES, LEAVING, plain_op
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import counted, named, number, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def no_gradient(evidence: Evidence) -> Diagnoses:
    """No parameter of the model gets a gradient from this loss: training would move nothing at all.

    The loss was computed from a detached output, under `no_grad`, of numbers that went through numpy, or
    with copies of the parameters. `loss.requires_grad = True` silences the error that torch raises there,
    and mends nothing.
    """
    learners = [m for m, layer in evidence.layers.items() if layer.status in ("none", "unused")]
    if not learners or any(p.grad_norm is not None for p in evidence.measurement.parameters):
        return
    if behind_custom(evidence):
        return
    layers = tuple(evidence.graph.path_of(m) for m in learners)
    count = sum(p.numel for m in learners for p in evidence.graph.parameters_of(m) if p.requires_grad)
    cut = _widest(evidence.measurement.cuts)
    where = f": {_shown(cut.op)} cuts the loss off from {verb(layers, 'it', 'them')}" if cut else ""
    yield Diagnosis(
        layers=layers,
        cause="not-in-loss" if cut is None else _cause(cut),
        message=f"no parameter gets a gradient from this loss{where}",
        why=f"the loss is {number(evidence.measurement.loss, 4)}, and moving any of the {counted(count, 'weight')} of "
        f"{named(layers)} leaves torch with nothing to follow back from it",
        op=cut.op if cut else None,
        source=cut.source if cut else None,
        numbers={"layers": len(layers), "weights": count},
    )


def _widest(cuts: Sequence[Cut]) -> Cut | None:
    """The cut, with all others by the same means on the same line, behind which most parameters lie; of several,
    one whose value went on, and of those the last: it is nearest to the loss."""
    behind: dict[_Knife, set[int]] = defaultdict(set)
    for cut in cuts:
        behind[_knife(cut)].update(cut.parameters)
    ranked = [(len(behind[_knife(cut)]), cut.used, place) for place, cut in enumerate(cuts)]
    return cuts[max(ranked)[2]] if ranked else None


def graph_cut(evidence: Evidence) -> Diagnoses:
    """A value was computed and used, but no gradient comes back to what made it: the graph was cut behind it.

    The usual knives are `.detach()`, `.data`, `torch.tensor(x)`, a trip through numpy, `no_grad` around
    a part that should learn, a parameter made of others in a constructor, and choices such as argmax or
    comparisons, which have no derivative. One parameter is enough, where the rest of its layer is well. A single number
    that is kept as a parameter and read as a plain one is a note: many such are settings.
    """
    behind: dict[_Knife, dict[int, Cut]] = defaultdict(dict)
    asleep = asleep_layers(evidence)
    for module, cut in cut_layers(evidence).items():
        if module not in asleep:
            behind[_knife(cut)][module] = cut
    for module, cuts in evidence.graph.lost_alone.items():
        behind[_knife(cuts[0])][module] = cuts[0]
    for cut_off in behind.values():
        yield _cut_off(evidence, cut_off)


_Knife = tuple[str, "SourceLine | None"]


def _knife(cut: Cut) -> _Knife:
    """What cuts with the same op on the same line have in common: one finding a cause."""
    return cut.op, cut.source


def _cut_off(evidence: Evidence, cuts: Mapping[int, Cut]) -> Diagnosis:
    graph, cut = evidence.graph, next(iter(cuts.values()))
    layers = tuple(graph.path_of(m) for m in sorted(cuts))
    apart = [p for m in cuts if m in graph.lost_alone for p in _alone(evidence, m, cut)]
    alone = [p.names[0] for p in apart]
    whole = [graph.path_of(m) for m in cuts if m not in graph.lost_alone]
    lost = (*whole, *alone)
    ran = verb(lost, "it ran and has", "they ran and have")
    if all(each.leaf for each in cuts.values()):
        ran = verb(lost, "its value was used, and it has", "their values were used, and they have")
    return Diagnosis(
        severity=_how_bad(cut, [p for m in cuts if m not in graph.lost_alone for p in graph.parameters_of(m)], apart),
        layers=layers,
        cause=_cause(cut),
        message=f"{named(lost, 'parameters' if alone else 'layers')} cannot learn: {_shown(cut.op)} cuts "
        f"{verb(lost, 'it', 'them')} off from the loss",
        why=f"{ran} no gradient: the only way to the loss leads through {_shown(cut.op)}, which no gradient passes",
        op=cut.op,
        source=cut.source,
        numbers={"layers": len(layers), **({"parameters": len(alone)} if alone else {})},
    )


def _how_bad(cut: Cut, whole: Sequence[ParameterMeasurement], apart: Sequence[ParameterMeasurement]) -> Severity | None:
    """The severity by what is lost, where it is not the rule's: of layers that are lost whole, and of parameters alone.

    A single number beside others that learn, or one that is read as a plain number, may be a setting.
    """
    if not whole:
        most = max(apart, key=lambda p: (len(p.shape), p.numel))
        return Severity.NOTE if most.numel == 1 else Severity.WARNING if len(most.shape) < 2 else None
    numbers_only = all(not p.shape for p in (*whole, *apart))
    return Severity.NOTE if numbers_only and cut.op in LEAVING else None


def _alone(evidence: Evidence, module: int, cut: Cut) -> Iterator[ParameterMeasurement]:
    """The parameters of a layer that this knife cuts off from it, each once."""
    cuts = [c for c in evidence.graph.lost_alone[module] if _knife(c) == _knife(cut)]
    found = {p.names[0]: p for c in cuts for p in evidence.graph.lost_behind(c, module)}
    yield from found.values()


def _cause(cut: Cut) -> str:
    return "non-differentiable-op" if cut.op in CHOICES else "graph-cut"


def cut_layers(evidence: Evidence) -> Mapping[int, Cut]:
    """The layers whose values were used and that got no gradient, with the cut that each lies behind."""
    lost = [m for m, layer in evidence.layers.items() if layer.status in ("none", "unused")]
    cuts = {m: evidence.graph.cuts.get(m) for m in lost}
    return {m: max(found, key=lambda cut: cut.used) for m, found in cuts.items() if found}


def asleep_layers(evidence: Evidence) -> frozenset[int]:
    """The layers that ran under no_grad on purpose, as those of a teacher, a target network or a tower in eval mode.

    What comes out goes into no layer that learns, or they are in eval mode beside others in train mode, or the same
    layers learn under another name.
    """
    graph, modules = evidence.graph, evidence.measurement.modules
    calls = [c for c in evidence.measurement.cuts if c.op == "no_grad" and not c.leaf]
    quiet = {m for c in calls for m in _owners(evidence, c) if m == c.module}
    quiet = {m for m in quiet if evidence.layers[m].status == "none"}
    training = any(modules[m].training for m in evidence.layers)
    known = {m for m in quiet if m not in graph.cuts or (training and not modules[m].training)}
    learning = {_under_any_parent(evidence, m) for m, layer in evidence.layers.items() if layer.status == "ok"}
    return frozenset(
        known | {m for m in quiet if _under_any_parent(evidence, m) in learning} | _called_without(evidence)
    )


def _called_without(evidence: Evidence) -> set[int]:
    """The layers of a tower that is called with all its parameters detached at once, as a critic is for its actor."""
    parameters = evidence.measurement.parameters
    taken: dict[_Knife, set[int]] = defaultdict(set)
    for cut in evidence.measurement.cuts:
        if cut.leaf and cut.op in ("detach", "data"):
            taken[_knife(cut)].update(cut.parameters)
    found: set[int] = set()
    for indexes in taken.values():
        owners = {parameters[i].module for i in indexes}
        whole = {m for m in owners if len(evidence.graph.owned[m]) > 1 and indexes >= {*evidence.graph.owned[m]}}
        found |= whole if len(whole) > 1 else set()
    return found


def _owners(evidence: Evidence, cut: Cut) -> set[int]:
    return {evidence.measurement.parameters[i].module for i in cut.parameters}


def _under_any_parent(evidence: Evidence, module: int) -> tuple[object, ...]:
    """What a layer has in common with that of a copy of its tower; the layer itself where it stands by itself."""
    graph = evidence.graph
    name = graph.path_of(module).partition(".")[2] or module
    return name, evidence.layers[module].kind, tuple(p.shape for p in graph.parameters_of(module))


def _shown(op: str) -> str:
    known = {
        "data": ".data",
        "numpy": ".numpy()",
        "item": ".item()",
        "tensor": "torch.tensor()",
        "Parameter": "nn.Parameter()",
    }
    return f"`{known.get(op, op.strip('_') + '()')}`"


def custom_backward(evidence: Evidence) -> Diagnoses:
    """A custom autograd Function received a gradient and returned None for an input that needs one.

    Its backward has to return one gradient for each input of its forward; None stands for zero, and
    everything below the Function stops learning.
    """
    behind = behind_custom(evidence)
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


def behind_custom(evidence: Evidence) -> Mapping[int, int]:
    """The layers that got no gradient and lie behind custom Functions that sent none, with the first of these."""
    lost = [m for m, layer in evidence.layers.items() if layer.status == "none"]
    return {m: op for m in lost if (op := evidence.blocking.of(m).custom) is not None}
