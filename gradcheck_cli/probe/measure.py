"""The probe's main function; read `measure` first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradcheck_cli.errors import GradcheckError, StateError
from gradcheck_cli.probe import lenses
from gradcheck_cli.probe.explaining import Explainer, by_user, is_ours, stashed_gradients
from gradcheck_cli.probe.heads import Weights, along_one_axis, distinguishability, heads
from gradcheck_cli.probe.parameters import GradientFigures, figures
from gradcheck_cli.probe.precision import roundings
from gradcheck_cli.probe.readout import Observed, settled, without_scale
from gradcheck_cli.probe.requirements import require_parameters, statistics_never_taken
from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.probe.tracer import Tracer
from gradcheck_cli.records.measurement import Head, Measurement
from gradcheck_cli.records.spec import LossScale, Pass, Target
from gradcheck_cli.runtime.autogradgraph import Graph
from gradcheck_cli.runtime.checkpointing import checkpointing_lifted, eagerly
from gradcheck_cli.runtime.modelcopy import NotIndependent
from gradcheck_cli.runtime.passes import RaisedByUser, low_precision, run_backward, scaled
from gradcheck_cli.runtime.state import State, WriteWatch, preserved, seed_everything
from gradcheck_cli.runtime.tensors import untouched


def measure(
    target: Target,
    batch: Any,
    *,
    seed: int = 0,
    autocast: torch.dtype | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Measurement:
    """Run one forward and backward pass of `target` on `batch` and measure every gradient in it.

    The model, its gradients, the batch, the random generators and torch's switches come back as they were.

    Raises:
        GradcheckError: There is nothing to measure, or something cannot be put back.
        RaisedByUser: The user's forward, loss or backward raised.
    """
    require_parameters(target.model)
    probe: _Probe | None = None
    try:
        with preserved(target.model, batch, getattr(target.forward, "loss", None)) as state:
            probe = _Probe(target, batch, state)
            while True:
                measured = probe.run(seed, autocast, on_stage)
                if not probe.would_skip(measured):
                    return measured
                probe.release()
                probe = probe.backed_off()
    except GradcheckError:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or is_ours(error):
            raise
        raise RaisedByUser(error) from error
    finally:
        if probe is not None:
            probe.release()  # only now has the model let go of what it kept of its outputs


class _Probe:
    """The working state of one measurement."""

    def __init__(
        self, target: Target, batch: Any, state: State, scale: LossScale | None = None, skipped: int = 0
    ) -> None:
        self.scale, self.skipped = scale, skipped
        self.target, self.batch, self.model = target, batch, target.model
        self.tracer = Tracer(target.model, state)
        self.sources = SourceTable(target.root)
        self.figures: dict[int, GradientFigures] = {}
        self.readings: dict[int, lenses.LensReading] = {}
        self.remarks: list[str] = []
        self.state = state
        self.graph: Graph | None = None

    def release(self) -> None:
        """Free the graph; its hooks hold the probe, so the probe must not hold the graph."""
        self.tracer.release()
        if self.graph is not None:
            self.graph.release()

    @property
    def factor(self) -> float:
        """What the loss is multiplied by before the backward pass, and every gradient divided by after it."""
        return 1.0 if self.scale is None else self.scale.factor

    def would_skip(self, measured: Measurement) -> bool:
        """Whether a GradScaler would skip this step, because a gradient overflows at its scale, and then halve it."""
        return self.factor > 1 and math.isfinite(measured.loss) and _is_poisoned(measured)

    def backed_off(self) -> _Probe:
        """The same once more, from the beginning, with the scale that comes next."""
        assert self.scale is not None
        factor = max(self.factor * self.scale.backoff, 1.0)
        self.state.restore()
        return _Probe(self.target, self.batch, self.state, replace(self.scale, factor=factor), self.skipped + 1)

    def _told_of_scale(self, measured: Measurement, first: float) -> Iterator[str]:
        if first != 1:
            yield f"a GradScaler multiplies the loss by {first:,.6g}; that is taken out of every number"
        if self.skipped and not _is_poisoned(measured):
            steps = "step" if self.skipped == 1 else f"{self.skipped} steps"
            yield (
                f"at that scale a gradient overflows: the GradScaler would skip the first {steps}, settle at "
                f"{self.factor:,.6g}, and train on"
            )
        elif self.skipped:
            yield "a gradient is not finite at any scale that the GradScaler would come to"

    def run(self, seed: int, autocast: torch.dtype | None, on_stage: Callable[[str], None]) -> Measurement:
        if self._prepared():
            self.remarks.append(
                "the model was in eval mode, but its BatchNorm statistics never saw data: probed in train mode"
            )
        started = time.perf_counter()
        on_stage("forward")
        try:
            result = self._forward(seed, autocast, self.tracer, self.tracer)
        except BaseException as error:
            if (raised := by_user(error)) is None:
                raise
            on_stage("looking for the first non-finite value")
            stopped = None
            with suppress(StateError):  # then what was raised is told
                stopped = self._explainer(seed, autocast).of_an_exception(raised, self._nothing)
            if stopped is None:
                raise
            return stopped
        first_factor = result.scale.factor if result.scale is not None else 1.0
        self.scale = self.scale or result.scale
        forward_done = time.perf_counter()
        on_stage("backward")
        graph = self.graph = Graph(result.loss.grad_fn)
        leaves = graph.leaves()
        with untouched():
            found = tuple(self._heads(graph))
        extra = stashed_gradients(leaves.values(), self.model)
        try:
            self._backward(scaled(result.loss, self.factor), graph, leaves)
        finally:
            for tensor, grad in extra:
                tensor.grad = grad
        backward_done = time.perf_counter()
        on_stage("reading the gradients")
        seconds = {"forward": forward_done - started, "backward": backward_done - forward_done}
        with untouched():
            measured = settled(self._observed(result, graph, leaves, found, seconds))
        if self.would_skip(measured):
            return measured
        measured = without_scale(measured, self.factor)
        measured = replace(measured, remarks=(*measured.remarks, *self._told_of_scale(measured, first_factor)))
        return self._explained(measured, seed, autocast, on_stage)

    def _heads(self, graph: Graph) -> Iterator[Head]:
        """What feeds the heads, read before the backward frees it."""
        for head in heads(graph, Weights(self.model)):
            sequence = graph.nodes[head.op]._sequence_nr()
            call = self.tracer.product_at(sequence)
            fed = head.input if head.input is not None else self.tracer.fed_to(call)
            if fed is None or self.tracer.is_derived(sequence):  # not kept, or no activation
                yield Head(head.op, call, None, 0, 0.0)
            else:
                apart = along_one_axis(fed, head.channel, self.tracer.shape_at(call))
                yield Head(head.op, call, *distinguishability(fed, head.channel), *apart)
        self.tracer.forget_fed()

    def _observed(
        self,
        result: Pass,
        graph: Graph,
        leaves: dict[int, Tensor],
        found: tuple[Head, ...],
        seconds: dict[str, float],
    ) -> Observed:
        return Observed(
            model=self.model,
            batch=self.batch,
            result=result,
            graph=graph,
            leaves=leaves,
            tracer=self.tracer,
            sources=self.sources,
            built=self.target.built,
            derived=self.target.derived,
            figures=self.figures,
            readings=self.readings,
            remarks=tuple(self.remarks),
            seconds=seconds,
            heads=found,
        )

    def _prepared(self) -> bool:
        """Make the model ready for a pass; True where it was put in train mode for it."""
        with untouched():
            for parameter in self.model.parameters():
                parameter.grad = None
                parameter._post_accumulate_grad_hooks = None  # type: ignore[assignment]
        never = statistics_never_taken(self.model)
        if never:
            self.model.train()
        return never

    def _rewind(self) -> None:
        """Back to before the first pass, so that another one sees the same batch, buffers and generators."""
        self.state.restore()
        self._prepared()

    def _explained(
        self, measured: Measurement, seed: int, autocast: torch.dtype | None, on_stage: Callable[[str], None]
    ) -> Measurement:
        """Run passes again for what one pass cannot tell: where NaN and Inf come from, what a low precision loses."""
        explainer = self._explainer(seed, autocast)
        if not math.isfinite(measured.loss):
            on_stage("looking for the first non-finite value")
            return explainer.of_the_loss(measured)
        blamed = measured.culprit
        if blamed is not None:
            on_stage("looking for the values behind a non-finite gradient")
            measured = explainer.of_a_gradient(measured, blamed)
        elif any(m.output_rms is not None and not math.isfinite(m.output_rms) for m in measured.modules):
            on_stage("looking for the first non-finite value")
            measured = explainer.of_a_layer(measured)
        if low_precision(self.model, autocast) is not None:
            on_stage("comparing with float32")
            measured = self._with_roundings(measured, seed, autocast)
        return measured

    def _explainer(self, seed: int, autocast: torch.dtype | None) -> Explainer:
        return Explainer(
            model=self.model,
            batch=self.batch,
            state=self.state,
            sources=self.sources,
            factor=self.factor,
            rewind=self._rewind,
            forward=partial(self._forward, seed, autocast),
        )

    def _nothing(self) -> Measurement:
        """What is measured of a pass that stopped before there was a loss."""
        seconds = {"forward": 0.0, "backward": 0.0}
        with untouched():
            return settled(self._observed(Pass(loss=torch.full((), math.nan)), Graph(None), {}, (), seconds))

    def _forward(
        self, seed: int, autocast: torch.dtype | None, tracer: Tracer, mode: AbstractContextManager[Any]
    ) -> Pass:
        seed_everything(seed)
        device = _device_type(self.model)
        with ExitStack() as stack:
            lifted = stack.enter_context(checkpointing_lifted())
            if autocast is not None:
                stack.enter_context(torch.autocast(device, dtype=autocast))
            stack.enter_context(tracer.watching_modules())
            stack.enter_context(mode)
            stack.enter_context(torch.enable_grad())  # the pass may leave them off
            result = eagerly(lambda: self.target.forward(self.model, self.batch))
        if result.loss.grad_fn is None:  # no way leads back from it, which is what there is to be told
            result = replace(result, loss=result.loss.detach().clone().requires_grad_() * 1.0)
        if lifted:
            self.remarks.append(f"{len(lifted)} checkpointed blocks were run without checkpointing, to see their ops")
        return result

    def _with_roundings(self, measured: Measurement, seed: int, autocast: torch.dtype | None) -> Measurement:
        self._rewind()
        try:
            found = roundings(self.target, self.batch, seed, autocast, self._rewind, self.factor)
            return replace(measured, roundings=found)
        except NotIndependent as reason:
            return replace(measured, remarks=(*measured.remarks, f"not compared with float32: {reason}"))
        except StateError:
            raise
        except Exception as error:  # the user's code, in a precision that it was not written for
            told = f"not compared with float32: a copy of the model in float32 raised {type(error).__name__}"
            return replace(measured, remarks=(*measured.remarks, told))

    def _backward(self, loss: Tensor, graph: Graph, leaves: dict[int, Tensor]) -> None:
        # A parameter outside the graph still gets a gradient where a custom Function runs a backward of its own.
        index_of = {id(leaf): index for index, leaf in leaves.items()}
        watched = {id(t): t for t in (*leaves.values(), *self.model.parameters()) if t.requires_grad and not is_lazy(t)}
        handles = [
            tensor.register_post_accumulate_grad_hook(self._leaf_hook(graph, index_of.get(key)))
            for key, tensor in watched.items()
        ]
        graph.watch(self._looks(graph))
        watch = WriteWatch(self.state.before_write) if self.state.watches_writes else nullcontext()
        try:
            with watch:
                run_backward(loss, self.batch)
        finally:
            for handle in handles:
                handle.remove()

    def _leaf_hook(self, graph: Graph, index: int | None) -> Callable[[Tensor], None]:
        def arrived(leaf: Tensor) -> None:
            with torch._C.DisableTorchFunction():
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


def _is_poisoned(measured: Measurement) -> bool:
    return any(p.nan_count or p.inf_count for p in measured.parameters)


def _device_type(model: nn.Module) -> str:
    return next((p.device.type for p in model.parameters()), "cpu")
