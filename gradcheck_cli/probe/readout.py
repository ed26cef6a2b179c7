"""From what was observed on devices to a Measurement in plain numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from gradcheck_cli.probe import lenses
from gradcheck_cli.probe.parameters import GradientFigures
from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.probe.spectrum import recurrent
from gradcheck_cli.probe.stats import stats_of
from gradcheck_cli.probe.tracer import RawCut, Tracer
from gradcheck_cli.records.measurement import (
    Cut,
    Edge,
    Head,
    Lens,
    Measurement,
    ModuleMeasurement,
    Op,
    ParameterMeasurement,
    Severed,
    Swap,
)
from gradcheck_cli.records.ops import LEAF
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.spec import Derived, Pass
from gradcheck_cli.records.term import Term
from gradcheck_cli.runtime import tensors
from gradcheck_cli.runtime.autogradgraph import Graph
from gradcheck_cli.runtime.norms import Scalar, settle
from gradcheck_cli.words import listing


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything that one pass left behind, still as tensors and nodes.

    `figures` are by the id of the parameter, `readings` and `leaves` by the index of the op.
    """

    model: nn.Module
    batch: Any
    result: Pass
    graph: Graph
    leaves: Mapping[int, Tensor]
    tracer: Tracer
    sources: SourceTable
    figures: Mapping[int, GradientFigures]
    readings: Mapping[int, lenses.LensReading]
    remarks: tuple[str, ...]
    seconds: Mapping[str, float]
    built: Mapping[str, tuple[str, int]]
    heads: tuple[Head, ...]
    derived: tuple[Derived, ...] = ()

    @cached_property
    def weights(self) -> Mapping[int, Scalar]:
        """The norm of each parameter by its id; one without values that can be read is left out."""
        norms = ((id(p), tensors.norm(p)) for p in self.model.parameters())
        return {key: length for key, length in norms if length is not None}

    @cached_property
    def position(self) -> Mapping[Any, int]:
        """The index of each node."""
        return {node: i for i, node in enumerate(self.graph.nodes)}

    @cached_property
    def unread(self) -> tuple[str, ...]:
        """The names of the parameters that are left out."""
        return tuple(name for name, p in self.model.named_parameters() if id(p) not in self.weights)

    def built_at(self, module: int) -> int:
        """Index of the line that built a module, or the nearest one around it that was seen being built; -1."""
        path = self.tracer.modules[module][0] if module >= 0 else ""
        while path and path not in self.built:
            path = path.rpartition(".")[0]
        return self.sources.built(*self.built[path]) if module >= 0 and path in self.built else -1


def settled(seen: Observed) -> Measurement:
    """Fetch every number from its device, attribute every op, and write it all down."""
    graph = seen.graph
    totals, edges = graph.settled()
    ops = tuple(
        Op(name, *_attribution(seen, name, node), total, tuple(Edge(*edge) for edge in sent))
        for name, node, total, sent in zip(graph.names, graph.nodes, totals, edges, strict=True)
    )
    return Measurement(
        loss=loss_value(seen.result.loss),
        loss_source=seen.result.loss_source,
        ops=ops,
        parameters=_parameters(seen, recurrent(seen.leaves, ops)),
        modules=_modules(seen),
        lenses=_lenses(seen),
        cuts=_cuts(seen),
        sources=seen.sources.lines(),
        inputs=stats_of(seen.batch, "batch"),
        outputs=stats_of(seen.result.output, "output"),
        targets=stats_of(seen.result.target, "target"),
        remarks=(*seen.remarks, *_left_out(seen.unread)),
        seconds=seen.seconds,
        heads=seen.heads,
        comparisons=seen.tracer.comparisons.settled(seen.position, seen.sources.line),
        terms=_terms(seen),
        severed=_severed(seen),
        swaps=_swaps(seen),
    )


def without_scale(measured: Measurement, factor: float) -> Measurement:
    """With every gradient divided by what the loss was multiplied by before the backward pass."""
    if factor == 1:
        return measured
    ops = (
        op._replace(total=op.total / factor, edges=tuple(edge._replace(norm=edge.norm / factor) for edge in op.edges))
        for op in measured.ops
    )
    parameters = (
        replace(p, grad_norm=_over(p.grad_norm, factor), grad_max=_over(p.grad_max, factor))
        for p in measured.parameters
    )
    return replace(measured, ops=tuple(ops), parameters=tuple(parameters))


def _over(value: float | None, factor: float) -> float | None:
    return None if value is None else value / factor


def _left_out(names: tuple[str, ...]) -> tuple[str, ...]:
    """Such as a lazy parameter whose layer was never called."""
    return (f"without values that can be read, and left out: {listing(names)}",) if names else ()


def _attribution(seen: Observed, name: str, node: Any) -> tuple[int, int, int]:
    if name == LEAF:
        return -1, -1, -1
    sequence = node._sequence_nr()
    module, place = seen.tracer.module_at(sequence), seen.tracer.place_at(sequence)
    return sequence, module, seen.sources.index(place) if place else seen.built_at(module)


def _parameters(seen: Observed, radii: Mapping[int, float | None]) -> tuple[ParameterMeasurement, ...]:
    ops = {id(leaf): index for index, leaf in seen.leaves.items()}
    named = _readable(seen)
    modules = {path: i for i, (path, _) in enumerate(seen.tracer.modules)}
    numbers = iter(settle([s for parameter, _ in named.values() for s in _scalars(seen, parameter)]))
    return tuple(
        _parameter(seen, parameter, names, modules, ops.get(key), [next(numbers) for _ in range(8)], radii.get(key))
        for key, (parameter, names) in named.items()
    )


def _readable(seen: Observed) -> dict[int, tuple[Tensor, list[str]]]:
    """The parameters that hold numbers and all names of each, by their id."""
    named: dict[int, tuple[Tensor, list[str]]] = {}
    for name, parameter in seen.model.named_parameters(remove_duplicate=False):
        if id(parameter) in seen.weights:
            named.setdefault(id(parameter), (parameter, []))[1].append(name)
    return named


def _scalars(seen: Observed, parameter: Tensor) -> list[Scalar]:
    measured = seen.figures.get(id(parameter))
    weight = seen.weights[id(parameter)]
    if measured is None:
        return [weight, weight, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    active = weight if measured.active_weight is None else measured.active_weight
    of_gradient = [measured.norm, measured.extreme, measured.zeros, measured.nan, measured.inf, measured.copies]
    return [weight, active, *of_gradient]


def _modules(seen: Observed) -> tuple[ModuleMeasurement, ...]:
    position = seen.position
    outputs = seen.tracer.outputs
    squares = settle([o.norm for found in outputs.values() for o in found])
    numbers = iter(squares)
    norms = {index: [next(numbers) for _ in found] for index, found in outputs.items()}
    return tuple(_module(seen, i, norms.get(i, []), position) for i in range(len(seen.tracer.modules)))


def _lenses(seen: Observed) -> tuple[Lens, ...]:
    keys = lenses.MEASURED
    readings = sorted(seen.readings.items())
    found = [getattr(r, k) for _, r in readings for k in keys]
    numbers = iter(settle([0.0 if f is None else f for f in found]))
    lensed = []
    for op, reading in readings:
        values = {k: (next(numbers), getattr(reading, k)) for k in keys}
        known = {k: (value if raw is not None else None) for k, (value, raw) in values.items()}
        lensed.append(
            Lens(
                op=op,
                kind=reading.kind,
                units=reading.units,
                samples=reading.samples,
                length=reading.length,
                off=_off(reading, known["dead"]),
                **known,
            )
        )
    return tuple(lensed)


def _off(reading: lenses.LensReading, dead: float | None) -> tuple[int, ...]:
    """Which units are off, where they are many."""
    many = reading.off is not None and (dead or 0.0) >= lenses.MANY
    return tuple(reading.off.nonzero().flatten().tolist()) if many and reading.off is not None else ()


def _terms(seen: Observed) -> tuple[Term, ...]:
    """The terms of the loss; none where no way leads back from it."""
    nodes = seen.graph.nodes
    return seen.tracer.terms.settled(loss_value(seen.result.loss), nodes[0], seen.position) if nodes else ()


def _cuts(seen: Observed) -> tuple[Cut, ...]:
    reached = set(seen.graph.nodes)
    learns = {id(leaf) for leaf in seen.leaves.values()} | set(seen.figures)
    numbers = {key: i for i, key in enumerate(_readable(seen))}
    modules = [module for _, module in seen.tracer.modules]
    cuts: dict[tuple[Any, ...], Cut] = {}
    for raw in seen.tracer.cuts:
        if raw.leaf is not None:
            behind = _leaf_behind(raw, seen, numbers, learns)
        else:
            behind = _parameters_behind(raw, reached, numbers, modules)
        if behind:
            source = seen.sources.line(raw.place)
            key = (raw.op, raw.module, source, behind)
            used = raw.used or (key in cuts and cuts[key].used)
            leaf = raw.leaf is not None
            cuts[key] = Cut(op=raw.op, module=raw.module, source=source, parameters=behind, used=used, leaf=leaf)
    return (*_derived(seen, numbers, learns), *cuts.values())


def _severed(seen: Observed) -> tuple[Severed, ...]:
    reached = set(seen.graph.nodes)
    counts: Counter[tuple[int, str, SourceLine | None]] = Counter()
    for raw in seen.tracer.cuts:
        if raw.op in ("detach", "data") and raw.used and raw.node is not None and raw.node not in reached:
            maker = seen.tracer.module_at(raw.node._sequence_nr())
            counts[maker, raw.op, seen.sources.line(raw.place)] += maker >= 0
    return tuple(Severed(module, op, count, source) for (module, op, source), count in counts.items() if count)


def _swaps(seen: Observed) -> tuple[Swap, ...]:
    places = seen.tracer.swaps.items()
    return tuple(Swap(before, after, op, seen.sources.line(place)) for (before, after, op), place in places)


def _derived(seen: Observed, numbers: Mapping[int, int], learns: set[int]) -> Iterator[Cut]:
    """Parameters that were made of others when the model was built, where the copy learns and they do not."""
    modules = {path: i for i, (path, _) in enumerate(seen.tracer.modules)}
    named = dict(seen.model.named_parameters(remove_duplicate=False))
    for made in seen.derived:
        sources = [id(named[name]) for name in made.sources if name in named]
        behind = tuple(sorted(numbers[key] for key in sources if key in numbers and key not in learns))
        if behind and made.name in named and id(named[made.name]) in learns:
            owner = modules.get(made.name.rpartition(".")[0], 0)
            source = seen.sources.at(made.file, made.line)
            yield Cut(op="Parameter", module=owner, source=source, parameters=behind, used=True, leaf=True)


def _leaf_behind(raw: RawCut, seen: Observed, numbers: Mapping[int, int], learns: set[int]) -> tuple[int, ...]:
    """The parameter whose value was read, where it neither gets a gradient nor is written to in the pass."""
    key = id(raw.leaf)
    lost = key in numbers and key not in learns
    return (numbers[key],) if lost and raw.leaf is not None and not seen.tracer.is_written(raw.leaf) else ()


def _parameters_behind(
    raw: Any, reached: set[Any], numbers: dict[int, int], modules: list[nn.Module]
) -> tuple[int, ...]:
    """Indexes of the parameters whose only known way on was through this cut."""
    if raw.node is None:
        module = modules[raw.module]
        return tuple(
            sorted(numbers[id(p)] for p in module.parameters(recurse=False) if p.requires_grad and id(p) in numbers)
        )
    seen, stack, found = {raw.node}, [raw.node], set()
    while stack:
        node = stack.pop()
        if node in reached:
            continue
        variable = getattr(node, "variable", None)
        if variable is not None and id(variable) in numbers:
            found.add(numbers[id(variable)])
        for child, _ in node.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                stack.append(child)
    return tuple(sorted(found))


def _parameter(
    seen: Observed,
    parameter: Tensor,
    names: list[str],
    modules: dict[str, int],
    op: int | None,
    numbers: list[float],
    radius: float | None,
) -> ParameterMeasurement:
    weight, active, length, largest, zeros, nan, inf, copies = numbers
    has_gradient = id(parameter) in seen.figures
    return ParameterMeasurement(
        names=tuple(names),
        module=modules.get(names[0].rpartition(".")[0], 0),
        shape=tensors.shape(parameter),
        dtype=str(parameter.dtype).removeprefix("torch."),
        numel=tensors.numel(parameter),
        requires_grad=parameter.requires_grad,
        op=op,
        grad_norm=length if has_gradient else None,
        grad_max=largest if has_gradient else None,
        zero_share=zeros / max(tensors.numel(parameter), 1) if has_gradient else None,
        nan_count=int(nan),
        inf_count=int(inf),
        weight_norm=weight,
        active_weight_norm=active,
        weight_nonfinite=0 if weight < float("inf") else _nonfinite(parameter),
        spectral_radius=radius,
        copies=bool(copies),
    )


def _nonfinite(parameter: Tensor) -> int:
    found = tensors.values(parameter)
    return 0 if found is None else int((~torch.isfinite(found)).sum())


def _module(seen: Observed, index: int, norms: list[float], position: Mapping[Any, int]) -> ModuleMeasurement:
    path, module = seen.tracer.modules[index]
    outputs = seen.tracer.outputs.get(index, [])
    numel = sum(o.numel for o in outputs)
    total = sum(n * n for n in norms) ** 0.5 if all(n < 1e150 for n in norms) else float("inf")
    return ModuleMeasurement(
        path=path,
        kind=type(module).__name__,
        calls=seen.tracer.calls[index],
        output_rms=total / numel**0.5 if numel else None,
        output_ops=tuple(position[o.node] for o in outputs if o.node in position),
        training=module.training,
        dropped=module.p if isinstance(module, _DropoutNd) and module.training else 0.0,
        built=seen.built_at(index) if not seen.tracer.calls[index] else -1,
    )


def loss_value(loss: Tensor) -> float:
    """The loss as a float; the modulus of a complex one."""
    return float(loss.detach().double().item()) if not loss.is_complex() else float(loss.detach().abs().item())
