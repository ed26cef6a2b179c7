"""GC409 and the notes on layers that no gradient was meant to reach."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About
from gradcheck_cli.records.measurement import ParameterMeasurement
from gradcheck_cli.rules.cuts import asleep_layers, behind_custom, cut_layers
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import counted, named, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

_SKIPPED = "a layer that is not called learns nothing: right where a router skips it, a mistake elsewhere"
_LEADS_NOWHERE = (
    "no gradient comes back: right for a target network or a head that was not asked, and a mistake elsewhere"
)


_SKIPPED_PARAMETER = (
    "the module ran without it: right for a mask token that this batch does not need, and a mistake elsewhere"
)
_READ = "its value went into something that no gradient comes back from: a metric, or a cut that costs it its gradient"
_ASLEEP = (
    "nothing trains it: right for a teacher, a target network or a pretrained tower, and requires_grad_(False) says so"
)


def unused(evidence: Evidence) -> Diagnoses:
    """A layer that can learn was not used for this loss: it was not called, or its output went nowhere.

    So it is with a layer that ran without gradients on purpose, as a teacher does.
    """
    asleep = asleep_layers(evidence)
    cut = {*cut_layers(evidence), *behind_custom(evidence), *asleep, *_idle_share(evidence)}
    by: dict[str, list[str]] = defaultdict(list)
    for module, layer in evidence.layers.items():
        if module not in cut and layer.status in ("unused", "none"):
            path = evidence.graph.path_of(module)
            if module in evidence.graph.read:
                by["read"].append(path)
            elif layer.status == "none" and evidence.measurement.modules[module].output_ops:
                by["beside"].append(path)  # what it puts out does reach the loss, without them
            else:
                by[layer.status].append(path)
    idle, read, beside, lost = (tuple(by[kind]) for kind in ("unused", "read", "beside", "none"))
    if idle:
        yield _note("unused", idle, f"{named(idle)} {verb(idle, 'was', 'were')} not called", _SKIPPED)
    if read:
        yield _note("unused", read, f"the values of {named(read)} were read, and not learned from", _READ)
    if beside:
        names = tuple(
            p.names[0] for m in evidence.layers for p in _own(evidence, m) if evidence.layers[m].path in beside
        )
        told = f"{named(names, 'parameters')} {verb(names, 'was', 'were')} not used for this loss"
        yield _note("unused", beside, told, _SKIPPED_PARAMETER)
    if lost:
        yield _note("unused", lost, f"{named(lost)} ran, but the output does not reach the loss", _LEADS_NOWHERE)
    if asleep:
        layers = tuple(evidence.graph.path_of(m) for m in sorted(asleep))
        yield _note("detached", layers, f"{named(layers)} ran without gradients only", _ASLEEP)


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


def _own(evidence: Evidence, module: int) -> list[ParameterMeasurement]:
    return [p for p in evidence.graph.parameters_of(module) if p.requires_grad]


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
