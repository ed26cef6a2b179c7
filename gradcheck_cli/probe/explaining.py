"""Passes that are run again to tell where values that are not finite come from."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from gradcheck_cli.errors import GradcheckError, ProbeError, TargetError, UserCodeError
from gradcheck_cli.probe.origin import BackwardSearch, OriginSearch, origin_of, scripted_place
from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.probe.taint import NOBODY, Source, Sources, first, suspects
from gradcheck_cli.probe.tracer import LOOKING_ON, Tracer
from gradcheck_cli.records.measurement import Measurement, NonfiniteInput, Origin
from gradcheck_cli.records.ops import VIEWS, stem
from gradcheck_cli.records.spec import Pass
from gradcheck_cli.runtime.autogradgraph import Graph
from gradcheck_cli.runtime.passes import in_a_line, run_backward, scaled
from gradcheck_cli.runtime.state import State
from gradcheck_cli.runtime.tensors import is_finite, untouched
from gradcheck_cli.runtime.trees import named_tensors

_MOST_SUSPECTS = 4


@dataclass(frozen=True, kw_only=True)
class Explainer:
    """Runs a step again, op by op; each pass begins where the first one did.

    Attributes:
        model: The model.
        batch: Its batch.
        state: What puts both back.
        sources: Where lines of the user's code are looked up.
        factor: The loss scale.
        rewind: Back to before the first pass.
        forward: One forward pass with this tracer, inside this context.
    """

    model: nn.Module
    batch: Any
    state: State
    sources: SourceTable
    factor: float
    rewind: Callable[[], None]
    forward: Callable[[Tracer, AbstractContextManager[Any]], Pass]

    def _searched(
        self, mended: Collection[int] = (), kept: Source | None = None
    ) -> tuple[OriginSearch, Pass | BaseException]:
        """Replay the forward pass op by op: who made what is not finite, and what it ended in.

        Where ops are `mended`, so is what was there before the pass, but for `kept`.
        """
        self.rewind()
        # The norms of outputs would be searched too.
        search = OriginSearch(Tracer(self.model, self.state, outputs=False), mended)
        for kind, tensors in self._standing().items():
            if kept is not None:
                _filled([(name, t) for name, t in tensors if (kind, name) != (kept.kind, kept.name)], self.state)
            search.knows(kind, tensors)
        try:
            return search, self.forward(search.tracer, search.searching())
        except (Exception, SystemExit) as error:
            if is_ours(error):
                raise
            return search, error
        finally:
            search.tracer.release()  # of nodes: places stay

    def _standing(self) -> Mapping[str, Sequence[tuple[str, Tensor]]]:
        """All that was there before the pass, by its kind."""
        return {
            "batch": tuple(named_tensors(self.batch, "batch")),
            "parameter": tuple(self.model.named_parameters()),
            "buffer": tuple(self.model.named_buffers()),
        }

    def of_the_loss(self, measured: Measurement) -> Measurement:
        """What is told where the loss is not finite."""
        search, ended = self._searched()
        behind = search.behind(ended.loss) if isinstance(ended, Pass) else search.made
        return self._blamed(measured, behind or search.made)

    def _blamed(self, measured: Measurement, behind: Sources) -> Measurement:
        """With what is to blame: an op, or a value that was there before.

        Where several stand behind one tensor, parts of which may have been dropped, it is the first that harms alone.
        """
        found = suspects(behind)
        if len(found) > 1 and (measured.stopped or not math.isfinite(measured.loss)):
            alone = next((source for source in found[:_MOST_SUSPECTS] if self._harms_alone(source, found)), None)
            behind = behind if alone is None else frozenset((alone,))
            self.rewind()
        blamed = first(behind)
        if blamed is not None and blamed.fed and not self._harms_without(blamed):
            damaged = min(blamed.fed, key=lambda source: source.name)
            return _with_blame(measured, replace(damaged, about=blamed.about), self.sources)
        return _with_blame(measured, blamed and self._inside_script(blamed), self.sources)

    def _harms_without(self, source: Source) -> bool:
        """Whether an op still makes what it made where all that was not finite before the pass is 0."""
        search, _ = self._searched({-1}, source)
        self.rewind()
        return any(made.order == source.order for made in search.made)

    def _inside_script(self, source: Source) -> Source:
        """With the line of a scripted function, where no function of torch's was seen to call the op."""
        if not source.about.get("unseen"):
            return source
        self.rewind()
        search = OriginSearch(Tracer(self.model, self.state, outputs=False), stop=source.order)
        try:
            self.forward(search.tracer, search.searching())
        except (Exception, SystemExit) as error:
            at = scripted_place(error)
            return source if at is None else replace(source, about={**source.about, "at": at})
        finally:
            search.tracer.release()
            self.rewind()
        return source

    def _harms_alone(self, source: Source, found: Sequence[Source]) -> bool:
        """Whether the pass still ends badly where everybody else's values are 0."""
        others = {other.order for other in found if not other.kind and other is not source}
        search, ended = self._searched(others or {-1}, source)
        behind = search.behind(ended.loss) if isinstance(ended, Pass) else search.behind_error(by_user(ended) or ended)
        return any((s.order, s.kind, s.name) == (source.order, source.kind, source.name) for s in behind)

    def of_an_exception(self, raised: BaseException, nothing: Callable[[], Measurement]) -> Measurement | None:
        """What is told of a pass that stopped for values that are not finite; None where they are not the reason.

        `nothing` measures a pass without a loss.
        """
        search, ended = self._searched()
        behind = NOBODY if isinstance(ended, Pass) else search.behind_error(by_user(ended) or ended)
        source = first(behind)
        if source is None or source.weak or (isinstance(raised, GradcheckError) and source.kind):
            return None
        return self._blamed(replace(nothing(), stopped=in_a_line(raised)), behind)

    def of_a_layer(self, measured: Measurement) -> Measurement:
        """What is told where a layer puts out NaN or Inf that neither the loss nor a gradient shows."""
        search, ended = self._searched()
        feeding = search.made & search.touching(ended.loss) if isinstance(ended, Pass) else search.made
        found = origin_of(first(feeding or search.made), self.sources)
        return replace(measured, origin=found and replace(found, idle=not feeding))

    def of_a_gradient(self, measured: Measurement, blamed: int) -> Measurement:
        """What is told where a gradient is not finite: what the blamed node had saved, and who made it."""
        search, result = self._searched()
        backward = self._looked_at(measured, blamed, search, result) if isinstance(result, Pass) else None
        if backward is None:  # under a search torch may go another way
            self.rewind()
            result = self.forward(Tracer(self.model, self.state, outputs=False), nullcontext())
            backward = self._looked_at(measured, blamed, None, result)
        if backward is None:
            return measured
        found = backward.origin(measured.ops, self.sources)
        source = first(backward.behind)
        made = origin_of(source, self.sources)
        if source is None or source.weak or (not source.kind and (made is None or _is_same(found, made))):
            return replace(measured, origin=found)
        told = self._blamed(measured, backward.behind)
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
        extra = stashed_gradients(graph.leaves().values(), self.model)
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


_OUR_STAGES = tuple(str(Path(__file__).parent.parent / stage) for stage in ("probe", "runtime"))


def is_ours(error: BaseException) -> bool:
    """Whether an error comes from the probe's own code rather than from the user's under it."""
    if isinstance(error, (RecursionError, MemoryError)):
        return False  # they end wherever the last straw happened to fall
    frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    while frames and frames[-1].co_name in LOOKING_ON:
        frames.pop()  # the probe looks on while the user's op raises
    return bool(frames) and frames[-1].co_filename.startswith(_OUR_STAGES)


def by_user(error: BaseException) -> BaseException | None:
    """What the user's code raised, if it may be for a value: neither ours, nor an interrupt, nor for want of room.

    A step that returns no loss counts as one that raised: it may have left a batch out.
    """
    if isinstance(error, (ProbeError, TargetError)):
        return error
    if isinstance(error, GradcheckError):
        cause = error.__cause__
        return cause if isinstance(error, UserCodeError) and cause is not None else None
    if isinstance(error, (KeyboardInterrupt, GeneratorExit, RecursionError, MemoryError)) or is_ours(error):
        return None
    return error


def _is_alike(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two graphs are the same, but for by which name a view goes."""
    return len(names) == len(others) and all(
        one == other or (stem(one) in VIEWS and stem(other) in VIEWS) for one, other in zip(names, others, strict=True)
    )


def _is_same(found: Origin | None, made: Origin) -> bool:
    """Whether a node's own op made what it had saved: exp saves its result."""
    return found is not None and (found.op, found.module, found.source) == (made.op, made.module, made.source)


def _with_blame(measured: Measurement, source: Source | None, table: SourceTable) -> Measurement:
    found = origin_of(source, table)
    if source is None or not source.kind:
        return replace(measured, origin=found)
    return replace(
        measured,
        entry=NonfiniteInput(kind=source.kind, name=source.name, produced=source.value, origin=found),
        origin=None,
    )


def _filled(tensors: Iterable[tuple[str, Tensor]], state: State) -> None:
    """0 for what is not finite; a rewind brings it back."""
    with untouched():
        for _, tensor in tensors:
            if is_finite(tensor) is False:
                with suppress(Exception):  # a sub-class may refuse
                    state.before_write(tensor)
                    tensor.data.nan_to_num_(0.0, 0.0, 0.0)


def stashed_gradients(leaves: Any, model: nn.Module) -> list[tuple[Tensor, Tensor | None]]:
    """Leaves that are not the model's parameters keep their `.grad` too."""
    own = {id(p) for p in model.parameters()}
    extra = [(leaf, leaf.grad) for leaf in leaves if id(leaf) not in own]
    for leaf, _ in extra:
        leaf.grad = None
    return extra
