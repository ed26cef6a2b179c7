"""The probe's main function; read `measure` first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


from gradcheck_cli.errors import ProbeError
from gradcheck_cli.probe import lenses
from gradcheck_cli.probe.checkpointing import checkpointing_lifted, eagerly
from gradcheck_cli.probe.graph import LEAF, Graph
from gradcheck_cli.probe.norms import Scalar, norm, settle
from gradcheck_cli.probe.origin import OriginSearch
from gradcheck_cli.probe.parameters import GradientFigures, figures
from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.probe.state import WriteGuard, preserved
from gradcheck_cli.probe.stats import stats_of
from gradcheck_cli.probe.tracer import Tracer
from gradcheck_cli.records import (
    Cut,
    Edge,
    Lens,
    Measurement,
    ModuleMeasurement,
    Op,
    Origin,
    ParameterMeasurement,
    Pass,
    Target,
)


def measure(
    target: Target,
    batch: Any,
    *,
    seed: int = 0,
    autocast: torch.dtype | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Measurement:
    """Run one forward and backward pass of `target` on `batch` and measure every gradient in it.

    The model, its gradients, the random generators and torch's switches come back as they were.

    Raises:
        ProbeError: The loss is not a differentiable scalar, or no parameter requires a gradient.
        Exception: Whatever the user's forward, loss or backward raised, untouched.
    """
    model = target.model
    guard = WriteGuard(model)
    probe = _Probe(target, batch, guard)
    with preserved(model):
        try:
            measurement = probe.run(seed, autocast, on_stage)
        finally:
            guard.restore()
    probe.release()  # only now has the model let go of what it kept of its outputs
    return measurement


class _Probe:
    """The working state of one measurement."""

    def __init__(self, target: Target, batch: Any, guard: WriteGuard) -> None:
        self.target, self.batch, self.model = target, batch, target.model
        self.tracer = Tracer(target.model, guard)
        self.sources = SourceTable(target.root)
        self.figures: dict[int, GradientFigures] = {}
        self.readings: dict[int, lenses.Reading] = {}
        self.remarks: list[str] = []
        self.guard = guard
        self.graph: Graph | None = None

    def release(self) -> None:
        """Free the graph; its hooks hold the probe, so the probe must not hold the graph."""
        self.tracer.release()
        if self.graph is not None:
            self.graph.release()

    def run(self, seed: int, autocast: torch.dtype | None, on_stage: Callable[[str], None]) -> Measurement:
        _require_parameters(self.model)
        for parameter in self.model.parameters():
            parameter.grad = None
            parameter._post_accumulate_grad_hooks = None
        if _statistics_never_taken(self.model):
            self.model.train()
            self.remarks.append(
                "the model was in eval mode, but its BatchNorm statistics never saw data: probed in train mode"
            )
        started = time.perf_counter()
        on_stage("forward")
        result = self._forward(seed, autocast, self.tracer, self.tracer)
        check_loss(result.loss)
        forward_done = time.perf_counter()
        origin = None
        if not math.isfinite(_loss_value(result.loss)):
            on_stage("looking for the first non-finite value")
            origin = self._origin(seed, autocast)
        on_stage("backward")
        graph = self.graph = Graph(result.loss.grad_fn)
        leaves = graph.leaves()
        extra = _stash_gradients(leaves.values(), self.model)
        try:
            self._backward(result.loss, graph, leaves)
        finally:
            for tensor, grad in extra:
                tensor.grad = grad
        backward_done = time.perf_counter()
        on_stage("reading the gradients")
        measurement = self._settle(result, graph, leaves, forward_done - started, backward_done - forward_done)
        return replace(measurement, origin=origin)

    def _forward(
        self, seed: int, autocast: torch.dtype | None, tracer: Tracer, mode: AbstractContextManager[Any]
    ) -> Pass:
        torch.manual_seed(seed)
        device = _device_type(self.model)
        with ExitStack() as stack:
            lifted = stack.enter_context(checkpointing_lifted())
            if autocast is not None:
                stack.enter_context(torch.autocast(device, dtype=autocast))
            stack.enter_context(tracer.watching_modules())
            stack.enter_context(mode)
            result = eagerly(lambda: self.target.forward(self.model, self.batch))
        if lifted:
            self.remarks.append(f"{len(lifted)} checkpointed blocks were run without checkpointing, to see their ops")
        return result

    def _origin(self, seed: int, autocast: torch.dtype | None) -> Origin | None:
        """Replay the forward pass op by op up to the first op that made a non-finite value."""
        tracer = Tracer(self.model, self.guard)
        search = OriginSearch(tracer)
        with preserved(self.model):
            self._forward(seed, autocast, tracer, search)
        return search.origin(self.sources)

    def _backward(self, loss: Tensor, graph: Graph, leaves: dict[int, Tensor]) -> None:
        # A parameter outside the graph still gets a gradient where a custom Function runs a backward of its own.
        index_of = {id(leaf): index for index, leaf in leaves.items()}
        watched = {id(t): t for t in (*leaves.values(), *self.model.parameters()) if t.requires_grad}
        handles = [
            tensor.register_post_accumulate_grad_hook(self._leaf_hook(graph, index_of.get(key)))
            for key, tensor in watched.items()
        ]
        graph.watch(self._looks(graph))
        try:
            loss.backward()  # type: ignore[no-untyped-call]
        finally:
            for handle in handles:
                handle.remove()

    def _leaf_hook(self, graph: Graph, index: int | None) -> Callable[[Tensor], None]:
        def arrived(leaf: Tensor) -> None:
            gradient, leaf.grad = leaf.grad, None
            if gradient is not None:
                measured = self.figures[id(leaf)] = figures(leaf, gradient)
                if index is not None:
                    graph.arrived_at_leaf(index, measured.norm)

        return arrived

    def _looks(self, graph: Graph) -> dict[int, Callable[[], None]]:
        """What to read from saved tensors, by the node whose pre-hook is the last chance to."""

        def look(index: int) -> Callable[[], None]:
            child = graph.names[graph.children[index][0][1]] if graph.children[index] else ""

            def read() -> None:
                reading = lenses.look(graph.names[index], graph.nodes[index], child)
                if reading is not None:
                    self.readings[index] = reading

            return read

        return {i: look(i) for i, name in enumerate(graph.names) if name in lenses.LENSES}

    # -- from tensors to plain numbers

    def _settle(
        self, result: Pass, graph: Graph, leaves: dict[int, Tensor], forward: float, backward: float
    ) -> Measurement:
        totals, edges = graph.settled()
        ops = tuple(
            Op(name, *self._attribution(name, node), total, tuple(Edge(*edge) for edge in sent))
            for name, node, total, sent in zip(graph.names, graph.nodes, totals, edges, strict=True)
        )
        return Measurement(
            loss=_loss_value(result.loss),
            ops=ops,
            parameters=self._parameters(leaves),
            modules=self._modules(graph),
            lenses=self._lenses(),
            cuts=self._cuts(graph),
            sources=self.sources.lines(),
            inputs=stats_of(self.batch, "batch"),
            outputs=stats_of(result.output, "output"),
            targets=stats_of(result.target, "target"),
            remarks=tuple(self.remarks),
            seconds={"forward": forward, "backward": backward},
        )

    def _attribution(self, name: str, node: Any) -> tuple[int, int, int]:
        if name == LEAF:
            return -1, -1, -1
        sequence = node._sequence_nr()
        return sequence, self.tracer.module_at(sequence), self.sources.index(self.tracer.place_at(sequence))

    def _parameters(self, leaves: dict[int, Tensor]) -> tuple[ParameterMeasurement, ...]:
        ops = {id(leaf): index for index, leaf in leaves.items()}
        named: dict[int, tuple[Tensor, list[str]]] = {}
        for name, parameter in self.model.named_parameters(remove_duplicate=False):
            named.setdefault(id(parameter), (parameter, []))[1].append(name)
        modules = {path: i for i, (path, _) in enumerate(self.model.named_modules())}
        numbers = iter(settle([s for parameter, _ in named.values() for s in self._scalars(parameter)]))
        return tuple(
            _parameter(parameter, names, modules, ops.get(key), self.figures, [next(numbers) for _ in range(7)])
            for key, (parameter, names) in named.items()
        )

    def _scalars(self, parameter: Tensor) -> list[Scalar]:
        measured = self.figures.get(id(parameter))
        weight = norm(parameter)
        if measured is None:
            return [weight, weight, 0.0, 0.0, 0.0, 0.0, 0.0]
        active = weight if measured.active_weight is None else measured.active_weight
        return [weight, active, measured.norm, measured.extreme, measured.zeros, measured.nan, measured.inf]

    def _modules(self, graph: Graph) -> tuple[ModuleMeasurement, ...]:
        position = {node: i for i, node in enumerate(graph.nodes)}
        outputs = self.tracer.outputs
        squares = settle([o.norm for found in outputs.values() for o in found])
        numbers = iter(squares)
        norms = {index: [next(numbers) for _ in found] for index, found in outputs.items()}
        return tuple(
            _module(i, path, module, self.tracer, norms.get(i, []), position)
            for i, (path, module) in enumerate(self.model.named_modules())
        )

    def _lenses(self) -> tuple[Lens, ...]:
        keys = ("slope", "saturated", "dead", "entropy", "output_rms", "target_rms", "per_sample")
        readings = sorted(self.readings.items())
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
                    **known,
                )
            )
        return tuple(lensed)

    def _cuts(self, graph: Graph) -> tuple[Cut, ...]:
        reached = set(graph.nodes)
        numbers = {id(p): i for i, p in enumerate(dict.fromkeys(self.model.parameters()))}
        cuts: dict[tuple[Any, ...], Cut] = {}
        for raw in self.tracer.cuts:
            behind = _parameters_behind(raw, reached, numbers, self.model)
            if behind:
                source = self.sources.line(raw.place)
                key = (raw.op, raw.module, source, behind)
                used = raw.used or (key in cuts and cuts[key].used)
                cuts[key] = Cut(op=raw.op, module=raw.module, source=source, parameters=behind, used=used)
        return tuple(cuts.values())


def _parameters_behind(raw: Any, reached: set[Any], numbers: dict[int, int], model: nn.Module) -> tuple[int, ...]:
    """Indexes of the parameters whose only known way on was through this cut."""
    if raw.node is None:
        module = list(model.modules())[raw.module]
        return tuple(sorted(numbers[id(p)] for p in module.parameters(recurse=False) if p.requires_grad))
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
    parameter: Tensor,
    names: list[str],
    modules: dict[str, int],
    op: int | None,
    measured: dict[int, GradientFigures],
    numbers: list[float],
) -> ParameterMeasurement:
    weight, active, length, largest, zeros, nan, inf = numbers
    has_gradient = id(parameter) in measured
    return ParameterMeasurement(
        names=tuple(names),
        module=modules.get(names[0].rpartition(".")[0], 0),
        shape=tuple(parameter.shape),
        dtype=str(parameter.dtype).removeprefix("torch."),
        numel=parameter.numel(),
        requires_grad=parameter.requires_grad,
        op=op,
        grad_norm=length if has_gradient else None,
        grad_max=largest if has_gradient else None,
        zero_share=zeros / max(parameter.numel(), 1) if has_gradient else None,
        nan_count=int(nan),
        inf_count=int(inf),
        weight_norm=weight,
        active_weight_norm=active,
        weight_nonfinite=0 if weight < float("inf") else int((~torch.isfinite(parameter.detach())).sum()),
    )


def _module(
    index: int, path: str, module: nn.Module, tracer: Tracer, norms: list[float], position: dict[Any, int]
) -> ModuleMeasurement:
    outputs = tracer.outputs.get(index, [])
    numel = sum(o.numel for o in outputs)
    total = sum(n * n for n in norms) ** 0.5 if all(n < 1e150 for n in norms) else float("inf")
    return ModuleMeasurement(
        path=path,
        kind=type(module).__name__,
        calls=tracer.calls[index],
        grad_calls=tracer.grad_calls[index],
        training=module.training,
        output_rms=total / numel**0.5 if numel else None,
        output_ops=tuple(position[o.node] for o in outputs if o.node in position),
        output_numel=numel,
    )


def check_loss(loss: Any) -> None:
    """Raise a ProbeError that says why `loss` cannot be differentiated, if it cannot."""
    if not isinstance(loss, Tensor):
        raise ProbeError(
            f"the loss is a {type(loss).__name__}, not a tensor", hint="Return the tensor, without .item()."
        )
    if loss.numel() != 1:
        raise ProbeError(
            f"the loss has shape {tuple(loss.shape)}, not a single number", hint="Reduce it, for example with .mean()."
        )
    if loss.grad_fn is None:
        raise ProbeError(
            "the loss has no graph: nothing that requires a gradient reaches it",
            hint="Look for no_grad, .detach(), .data, .item() or a frozen model on the way to the loss.",
        )


def _require_parameters(model: nn.Module) -> None:
    parameters = list(model.parameters())
    if not parameters:
        raise ProbeError("the model has no parameters", hint="Register its tensors with nn.Parameter.")
    if not any(p.requires_grad for p in parameters):
        raise ProbeError(
            "no parameter of the model requires a gradient", hint="Unfreeze some with requires_grad_(True)."
        )


def _statistics_never_taken(model: nn.Module) -> bool:
    """Whether a model that is in eval mode as a whole normalises by statistics that are still their defaults."""
    if any(module.training for module in model.modules()):
        return False
    counts = [getattr(m, "num_batches_tracked", None) for m in model.modules() if isinstance(m, _BatchNorm)]
    return any(count is not None and count.item() == 0 for count in counts)


def _loss_value(loss: Tensor) -> float:
    return float(loss.detach().double().item()) if not loss.is_complex() else float(loss.detach().abs().item())


def _device_type(model: nn.Module) -> str:
    return next((p.device.type for p in model.parameters()), "cpu")


def _stash_gradients(leaves: Any, model: nn.Module) -> list[tuple[Tensor, Tensor | None]]:
    """Leaves that are not the model's parameters keep their `.grad` too."""
    own = {id(p) for p in model.parameters()}
    extra = [(leaf, leaf.grad) for leaf in leaves if id(leaf) not in own]
    for leaf, _ in extra:
        leaf.grad = None
    return extra
