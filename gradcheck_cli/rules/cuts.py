"""GC401, GC406, GC407, GC409 and the notes on layers that no gradient was meant to reach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About
from gradcheck_cli.records.measurement import Cut, ParameterMeasurement
from gradcheck_cli.records.ops import CHOICES, plain_op
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.wording import counted, named, number, percent, verb

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
    if _behind_custom(evidence):
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
    comparisons, which have no derivative. One matrix is enough, where the rest of its layer is well.
    """
    behind: dict[_Knife, dict[int, Cut]] = defaultdict(dict)
    for module, cut in _cut_layers(evidence).items():
        if module not in _asleep(evidence):
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
    alone = [p.names[0] for m in cuts if m in graph.lost_alone for p in _alone(evidence, m, cut)]
    whole = [graph.path_of(m) for m in cuts if m not in graph.lost_alone]
    lost = (*whole, *alone)
    ran = verb(lost, "it ran and has", "they ran and have")
    if all(each.leaf for each in cuts.values()):
        ran = verb(lost, "its value was used, and it has", "their values were used, and they have")
    return Diagnosis(
        layers=layers,
        cause=_cause(cut),
        message=f"{named(lost)} cannot learn: {_shown(cut.op)} cuts {verb(lost, 'it', 'them')} off from the loss",
        why=f"{ran} no gradient: the only way to the loss leads through {_shown(cut.op)}, which no gradient passes",
        op=cut.op,
        source=cut.source,
        numbers={"layers": len(layers), **({"parameters": len(alone)} if alone else {})},
    )


def _alone(evidence: Evidence, module: int, cut: Cut) -> Iterator[ParameterMeasurement]:
    """The matrices of a layer that this knife cuts off, each once."""
    cuts = [c for c in evidence.graph.lost_alone[module] if _knife(c) == _knife(cut)]
    found = {p.names[0]: p for c in cuts for p in evidence.graph.matrices_behind(c, module)}
    yield from found.values()


def _cause(cut: Cut) -> str:
    return "non-differentiable-op" if cut.op in CHOICES else "graph-cut"


def _cut_layers(evidence: Evidence) -> Mapping[int, Cut]:
    """The layers whose values were used and that got no gradient, with the cut that each lies behind."""
    lost = [m for m, layer in evidence.layers.items() if layer.status in ("none", "unused")]
    cuts = {m: evidence.graph.cuts.get(m) for m in lost}
    return {m: max(found, key=lambda cut: cut.used) for m, found in cuts.items() if found}


def _asleep(evidence: Evidence) -> frozenset[int]:
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
    return frozenset(known | {m for m in quiet if _has_twin(evidence, m)})


def _owners(evidence: Evidence, cut: Cut) -> set[int]:
    return {evidence.measurement.parameters[i].module for i in cut.parameters}


def _has_twin(evidence: Evidence, module: int) -> bool:
    """Whether another module of the same kind and shapes, and of the same name under another parent, learns."""
    graph = evidence.graph
    tails = graph.path_of(module).partition(".")[2]
    shapes = [p.shape for p in graph.parameters_of(module)]
    return any(
        layer.status == "ok"
        and graph.path_of(m).partition(".")[2] == tails != ""
        and layer.kind == evidence.layers[module].kind
        and [p.shape for p in graph.parameters_of(m)] == shapes
        for m, layer in evidence.layers.items()
    )


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


_READ = "its value went into something that no gradient comes back from: a metric, or a cut that costs it its gradient"
_ASLEEP = (
    "nothing trains it: right for a teacher, a target network or a pretrained tower, and requires_grad_(False) says so"
)


def unused(evidence: Evidence) -> Diagnoses:
    """A layer that can learn was not used for this loss: it was not called, or its output went nowhere.

    So it is with a layer that ran under no_grad on purpose, as a teacher does.
    """
    asleep = _asleep(evidence)
    cut = {*_cut_layers(evidence), *_behind_custom(evidence), *asleep, *_idle_share(evidence)}
    by: dict[str, list[str]] = defaultdict(list)
    for module, layer in evidence.layers.items():
        if module not in cut and layer.status in ("unused", "none"):
            by["read" if _is_read(evidence, module) else layer.status].append(evidence.graph.path_of(module))
    idle, read, lost = (tuple(by[kind]) for kind in ("unused", "read", "none"))
    if idle:
        yield _note("unused", idle, f"{named(idle)} {verb(idle, 'was', 'were')} not called", _SKIPPED)
    if read:
        yield _note("unused", read, f"the values of {named(read)} were read, and not learned from", _READ)
    if lost:
        yield _note("unused", lost, f"{named(lost)} ran, but the output does not reach the loss", _LEADS_NOWHERE)
    if asleep:
        layers = tuple(evidence.graph.path_of(m) for m in sorted(asleep))
        yield _note("detached", layers, f"{named(layers)} ran under `no_grad()` only", _ASLEEP)


def _is_read(evidence: Evidence, module: int) -> bool:
    """Whether it was the values of a layer's parameters that left the graph, rather than what it computed."""
    cuts = [c for c in evidence.measurement.cuts if module in _owners(evidence, c)]
    return bool(cuts) and (evidence.layers[module].status == "unused" or all(cut.leaf for cut in cuts))


def idle_module(evidence: Evidence) -> Diagnoses:
    """A module that holds much of what could be learned was built and never called.

    That may be meant; but where the model then learns no more than one answer for every sample, it is
    the first thing to look at. Training copies decides, and it is a note where they learn.
    """
    idle = _idle_share(evidence)
    if not idle:
        return
    layers = tuple(evidence.graph.path_of(m) for m in idle)
    own = sum(p.numel for m in idle for p in evidence.graph.parameters_of(m) if p.requires_grad)
    whole = sum(p.numel for p in evidence.measurement.parameters if p.requires_grad)
    yield Diagnosis(
        layers=layers,
        cause="not-in-loss",
        message=f"{named(layers)} {verb(layers, 'was', 'were')} built and never called",
        why=f"{counted(own, 'weight')}, {percent(own / whole)} of all that can learn, are on no way to the loss",
        source=evidence.graph.built_at(idle[0]),
        numbers={"layers": len(layers), "weights": own, "share": own / whole},
        doubt=About.WHOLE,
    )


def _idle_share(evidence: Evidence) -> tuple[int, ...]:
    """The modules that were built and never called, where they hold a good share of all weights and no router chose.

    A router leaves experts out: others beside them, of the same kind and in the same list, were called.
    """
    graph, layers = evidence.graph, evidence.layers
    called = {(_list_of(graph.path_of(m)), layers[m].kind) for m in layers if layers[m].status not in ("unused",)}
    idle = tuple(
        m
        for m, layer in layers.items()
        if layer.status == "unused" and m not in graph.read and (_list_of(layer.path), layer.kind) not in called
    )
    own = sum(p.numel for m in idle for p in graph.parameters_of(m) if p.requires_grad)
    whole = sum(p.numel for p in evidence.measurement.parameters if p.requires_grad)
    return idle if own >= evidence.thresholds.idle_share * whole > 0 else ()


def _list_of(path: str) -> str:
    """A path without its numbers: what the modules of one list have in common; the path itself outside of lists."""
    return ".".join("*" if part.isdigit() else part for part in path.split("."))


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
