"""The probe's main function; read `measure` first."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradcheck_cli.errors import GradcheckError, ProbeError, StateError, UserCodeError
from gradcheck_cli.probe import lenses
from gradcheck_cli.probe.heads import Weights, along_one_axis, distinguishability, heads
from gradcheck_cli.probe.origin import BackwardSearch, OriginSearch, origin_of
from gradcheck_cli.probe.parameters import GradientFigures, figures
from gradcheck_cli.probe.poison import NOBODY, Source, Sources, first, is_contested
from gradcheck_cli.probe.prechecks import require_parameters, statistics_never_taken
from gradcheck_cli.probe.precision import roundings
from gradcheck_cli.probe.settling import Observed, settled, without_scale
from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.probe.tracer import LOOKING_ON, Tracer
from gradcheck_cli.records.measurement import Entry, Head, Measurement, Origin
from gradcheck_cli.records.ops import VIEWS, stem
from gradcheck_cli.records.spec import LossScale, Pass, Target
from gradcheck_cli.runtime.checkpointing import checkpointing_lifted, eagerly
from gradcheck_cli.runtime.copies import NotIndependent
from gradcheck_cli.runtime.graph import Graph
from gradcheck_cli.runtime.passes import RaisedByUser, in_a_line, low_precision, run_backward, scaled
from gradcheck_cli.runtime.state import State, WriteWatch, preserved, seed_everything
from gradcheck_cli.runtime.tensors import is_finite, untouched
from gradcheck_cli.runtime.trees import named_tensors


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
        if isinstance(error, KeyboardInterrupt) or _is_ours(error):
            raise
        raise RaisedByUser(error) from error
    finally:
        if probe is not None:
            probe.release()  # only now has the model let go of what it kept of its outputs


_OURS = tuple(str(Path(__file__).parent.parent / stage) for stage in ("probe", "runtime"))


def _is_ours(error: BaseException) -> bool:
    """Whether an error comes from the probe's own code rather than from the user's under it."""
    if isinstance(error, (RecursionError, MemoryError)):
        return False  # they end wherever the last straw happened to fall
    frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    while frames and frames[-1].co_name in LOOKING_ON:
        frames.pop()  # the probe looks on while the user's op raises
    return bool(frames) and frames[-1].co_filename.startswith(_OURS)


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
        self.readings: dict[int, lenses.Reading] = {}
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
            if (raised := _by_user(error)) is None:
                raise
            on_stage("looking for the first non-finite value")
            stopped = self._stopped(raised, seed, autocast)
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
        extra = _stash_gradients(leaves.values(), self.model)
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
        if not math.isfinite(measured.loss):
            on_stage("looking for the first non-finite value")
            return self._forward_explained(measured, seed, autocast)
        blamed = measured.culprit
        if blamed is not None:
            on_stage("looking for the values behind a non-finite gradient")
            measured = self._backward_explained(measured, blamed, seed, autocast)
        elif any(m.output_rms is not None and not math.isfinite(m.output_rms) for m in measured.modules):
            on_stage("looking for the first non-finite value")
            search, _ = self._searched(seed, autocast)
            measured = replace(measured, origin=origin_of(first(search.made), self.sources))
        if low_precision(self.model, autocast) is not None:
            on_stage("comparing with float32")
            measured = self._with_roundings(measured, seed, autocast)
        return measured

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
        if result.loss.grad_fn is None:
            raise ProbeError(
                "the loss requires no gradient: the forward pass switches gradients off",
                hint="Look for torch.set_grad_enabled(False) on the way to the loss.",
            )
        if lifted:
            self.remarks.append(f"{len(lifted)} checkpointed blocks were run without checkpointing, to see their ops")
        return result

    def _searched(
        self, seed: int, autocast: torch.dtype | None, *, data: bool = True
    ) -> tuple[OriginSearch, Pass | BaseException]:
        """Replay the forward pass op by op: who made what is not finite, and what it ended in.

        With `data` False, NaN and Inf of the batch, the parameters and the buffers are 0.
        """
        self._rewind()
        search = OriginSearch(Tracer(self.model, self.state, outputs=False))  # its norms would be searched too
        for kind, tensors in self._standing().items():
            if data:
                search.knows(kind, tensors)
            else:
                _filled(tensors, self.state)
        try:
            return search, self._forward(seed, autocast, search.tracer, search.searching())
        except (Exception, SystemExit) as error:
            if _is_ours(error):
                raise
            return search, error

    def _standing(self) -> Mapping[str, Sequence[tuple[str, Tensor]]]:
        """All that was there before the pass, by its kind."""
        return {
            "batch": tuple(named_tensors(self.batch, "batch")),
            "parameter": tuple(self.model.named_parameters()),
            "buffer": tuple(self.model.named_buffers()),
        }

    def _forward_explained(self, measured: Measurement, seed: int, autocast: torch.dtype | None) -> Measurement:
        search, ended = self._searched(seed, autocast)
        behind = search.behind(ended.loss) if isinstance(ended, Pass) else search.made
        return self._blamed(measured, behind or search.made, seed, autocast)

    def _blamed(self, measured: Measurement, behind: Sources, seed: int, autocast: torch.dtype | None) -> Measurement:
        """With what is to blame: an op, or a value that was there before."""
        if is_contested(behind):  # do the ops need what was there before?
            search, ended = self._searched(seed, autocast, data=False)
            alone = search.behind(ended.loss) if isinstance(ended, Pass) else search.behind_error(ended)
            behind = alone or frozenset(source for source in behind if source.kind)
            self._rewind()
        return _with_blame(measured, first(behind), self.sources)

    def _stopped(self, raised: BaseException, seed: int, autocast: torch.dtype | None) -> Measurement | None:
        """What is known of a pass that stopped for values that are not finite; None where they are not the reason."""
        search, ended = self._searched(seed, autocast)
        behind = NOBODY if isinstance(ended, Pass) else search.behind_error(_by_user(ended) or ended)
        source = first(behind)
        if source is None or source.weak:
            return None
        nothing = Pass(loss=torch.full((), math.nan))
        with untouched():
            measured = settled(self._observed(nothing, Graph(None), {}, (), {"forward": 0.0, "backward": 0.0}))
        return self._blamed(replace(measured, stopped=in_a_line(raised)), behind, seed, autocast)

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

    def _backward_explained(
        self, measured: Measurement, blamed: int, seed: int, autocast: torch.dtype | None
    ) -> Measurement:
        """Run both passes again to see what the blamed node had saved, and who made it."""
        search, result = self._searched(seed, autocast)
        backward = self._looked_at(measured, blamed, search, result) if isinstance(result, Pass) else None
        if backward is None:  # under a search torch may go another way
            self._rewind()
            result = self._forward(seed, autocast, Tracer(self.model, self.state, outputs=False), nullcontext())
            backward = self._looked_at(measured, blamed, None, result)
        if backward is None:
            return measured
        found = backward.origin(measured.ops, self.sources)
        source = first(backward.behind)
        made = origin_of(source, self.sources)
        if source is None or source.weak or (not source.kind and (made is None or _is_same(found, made))):
            return replace(measured, origin=found)
        told = self._blamed(measured, backward.behind, seed, autocast)
        if told.entry is not None and told.entry.origin is None:  # it went straight into the op
            return replace(told, entry=replace(told.entry, origin=found))
        if told.origin is not None and found is not None:
            return replace(told, origin=replace(told.origin, unwanted=found.unwanted))
        return told

    def _looked_at(
        self, measured: Measurement, blamed: int, search: OriginSearch | None, result: Pass
    ) -> BackwardSearch | None:
        """Look at the blamed node while a backward pass runs through it; None where the graph is another one."""
        graph = Graph(result.loss.grad_fn)
        extra = _stash_gradients(graph.leaves().values(), self.model)
        try:
            if not _is_alike(graph.names, [op.name for op in measured.ops]):
                return None
            backward = BackwardSearch(graph, blamed, search)
            run_backward(scaled(result.loss, self.factor), self.batch)
            return backward
        finally:
            graph.release()
            for tensor, grad in extra:
                tensor.grad = grad

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


def _by_user(error: BaseException) -> BaseException | None:
    """What the user's code raised, if it may be for a value: neither ours, nor an interrupt, nor for want of room."""
    if isinstance(error, GradcheckError):
        cause = error.__cause__
        return cause if isinstance(error, UserCodeError) and cause is not None else None
    if isinstance(error, (KeyboardInterrupt, GeneratorExit, RecursionError, MemoryError)) or _is_ours(error):
        return None
    return error


def _is_alike(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two graphs are the same, but for by which name a view goes."""
    return len(names) == len(others) and all(
        one == other or (stem(one) in VIEWS and stem(other) in VIEWS) for one, other in zip(names, others, strict=True)
    )


def _is_poisoned(measured: Measurement) -> bool:
    return any(p.nan_count or p.inf_count for p in measured.parameters)


def _is_same(found: Origin | None, made: Origin) -> bool:
    """Whether a node's own op made what it had saved: exp saves its result."""
    return found is not None and (found.op, found.module, found.source) == (made.op, made.module, made.source)


def _with_blame(measured: Measurement, source: Source | None, table: SourceTable) -> Measurement:
    found = origin_of(source, table)
    if source is None or not source.kind:
        return replace(measured, origin=found)
    return replace(
        measured, entry=Entry(kind=source.kind, name=source.name, produced=source.value, origin=found), origin=None
    )


def _filled(tensors: Iterable[tuple[str, Tensor]], state: State) -> None:
    """0 for what is not finite; a rewind brings it back."""
    with untouched():
        for _, tensor in tensors:
            if is_finite(tensor) is False:
                with suppress(Exception):  # a sub-class may refuse
                    state.before_write(tensor)
                    tensor.data.nan_to_num_(0.0, 0.0, 0.0)


def _device_type(model: nn.Module) -> str:
    return next((p.device.type for p in model.parameters()), "cpu")


def _stash_gradients(leaves: Any, model: nn.Module) -> list[tuple[Tensor, Tensor | None]]:
    """Leaves that are not the model's parameters keep their `.grad` too."""
    own = {id(p) for p in model.parameters()}
    extra = [(leaf, leaf.grad) for leaf in leaves if id(leaf) not in own]
    for leaf, _ in extra:
        leaf.grad = None
    return extra
