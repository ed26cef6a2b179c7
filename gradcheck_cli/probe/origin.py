"""Find the op in which values stop being finite: the first of the forward pass, or the one of the backward pass."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from opcode import opname
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._C._autograd import _get_sequence_nr
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from gradcheck_cli.probe.operands import Spoiled, first_spoiled, operand
from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.probe.taint import NOBODY, Source, Sources, TaintTracker, standing
from gradcheck_cli.probe.tracer import Tracer
from gradcheck_cli.records.measurement import Op, Origin
from gradcheck_cli.records.ops import FILLS, LEAVING, PARTS, SPREADS, UNSET, VIEWS, WRITERS, plain_op
from gradcheck_cli.runtime.autogradgraph import Graph
from gradcheck_cli.runtime.state import function_name
from gradcheck_cli.runtime.tensors import values
from gradcheck_cli.runtime.trees import tensors_in


class OriginSearch(TorchDispatchMode):
    """Checks every op of the forward pass that runs inside it, and notes who made what is not finite.

    It lets the pass run on: an exception would meet the user's own handlers on its way out. What the ops of the places
    `mended` make is put to 0, to see whether the others harm without them. It stops at the op of the place `stop`.
    """

    def __init__(self, tracer: Tracer, mended: Collection[int] = (), stop: int = -1) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tracer, self._mended, self._stop = tracer, mended, stop
        self._ledger = TaintTracker()
        self._touched = TaintTracker()
        self._unset = TaintTracker()
        self._learned: Sources = NOBODY
        self._order = 0
        self._made: list[Source] = []
        self._read: Sources = NOBODY
        self._refused: Sources = NOBODY
        self._derived: dict[int, tuple[int, str]] = {}
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def knows(self, kind: str, tensors: Iterable[tuple[str, Tensor]]) -> None:
        """Note which of these tensors, by name, are not finite before the pass."""
        for name, tensor in tensors:
            held = values(tensor) if _is_real(tensor) else None
            if held is not None and (source := standing(kind, name, held)) is not None:
                self._ledger.add(tensor, frozenset((source,)))
                self._learned |= {source} if tensor.requires_grad and kind == "parameter" else NOBODY

    @contextmanager
    def searching(self) -> Iterator[None]:
        """Inside, every op is checked, and noted where values leave torch for Python."""
        with self.tracer, _Leaving(self), self:
            yield

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        self._order += 1
        if self._order == self._stop:
            raise RuntimeError("stopped here, to be told where that is")
        self._note_derived()
        inputs = _inputs(func, args, kwargs)
        tensors = [t for _, t in inputs if isinstance(t, Tensor)]
        bad = [t for t in tensors if _is_real(t) and not _is_finite(t)]
        clean = not any(map(_holds_nan, bad))
        behind = self._ledger.of_all((*bad, *_decisions(args, kwargs)))
        if name.endswith("_"):  # it will write over what went in
            inputs = [(label, t.clone() if isinstance(t, Tensor) else t) for label, t in inputs]
        try:
            result = func(*args, **kwargs)
        except Exception:
            self._refused |= behind
            raise
        if name == "_local_scalar_dense":
            self._read |= behind
        outputs = list(tensors_in(result))
        self._judge(func, inputs, bad, clean, behind, outputs)
        touched = behind | self._touched.of_all(tensors_in((args, kwargs))) | self.behind(*outputs)
        for tensor in outputs if touched else ():
            self._touched.add(tensor, touched)
        return result

    def _judge(
        self, func: Any, inputs: Sequence[tuple[str, Any]], bad: list[Tensor], clean: bool, behind: Sources, out: Any
    ) -> None:
        """Note the sources of what an op put out: those of what went in, and itself where it is a first."""
        name = func.overloadpacket.__name__
        self._note_quotient(name, bad)
        outputs = [t for t in out if _is_real(t)]
        for answer in out:
            if not _is_real(answer):
                self._ledger.add(answer, behind)
        spoiled = [t for t in outputs if not _is_finite(t)]
        if name.endswith("_"):
            for tensor in outputs:
                if not any(tensor is s for s in spoiled):
                    self._ledger.forget(tensor)
        if not spoiled or self._is_unset(name, inputs, spoiled):
            return
        nan = clean and any(map(_holds_nan, spoiled))
        beside = bool(bad) and (name == _CAST or (torch.Tag.pointwise in func.tags and plain_op(name) not in FILLS))
        fresh = _fresh(inputs, spoiled[0]) if beside else None
        first = nan or not bad
        if (first or fresh is not None) and self._order in self._mended:
            for tensor in spoiled:
                tensor.masked_fill_(~torch.isfinite(tensor) if fresh is None else fresh, 0.0)
            if all(map(_is_finite, spoiled)):
                return
            first, fresh = False, None
        if bad and not behind:  # memory that nobody has written to, or a constant that no op was seen to make
            behind = self._unset.of_all(bad) or frozenset(
                (self._source(name, inputs, outputs, nan=any(map(_holds_nan, spoiled)), weak=True),)
            )
        behind = frozenset(self._entered(source, name, inputs, spoiled) for source in behind)
        if fresh is not None or (first and all(s.weak for s in behind)):
            weak = plain_op(name) in FILLS and not (name == _CAST and _grew(spoiled))
            behind |= {self._source(name, inputs, outputs, nan=nan, weak=weak)}
        for tensor in spoiled:
            self._ledger.add(tensor, behind)

    def _source(
        self, name: str, inputs: Sequence[tuple[str, Any]], outputs: list[Tensor], *, nan: bool, weak: bool
    ) -> Source:
        if weak and nan and (call := self._writer()) is not None:
            name, inputs, weak = call[0], [(f"input {i}", t) for i, t in enumerate(tensors_in(call[1]))], False
        fed = self._touched.of_all(t for _, t in inputs if isinstance(t, Tensor)) & self._learned
        made = Source(order=self._order, weak=weak, about=self._described(name, inputs, outputs, nan), fed=fed)
        self._made.append(made)
        return made

    def _note_quotient(self, name: str, bad: Sequence[Tensor]) -> None:
        """Whose values are divided by what was made of them."""
        both = self._ledger.of(bad[0]) & self._ledger.of(bad[1]) if plain_op(name) == "div" and len(bad) > 1 else NOBODY
        for source in both:
            if source.about:
                source.about = {**source.about, "normalised": True}

    def _is_unset(self, name: str, inputs: Sequence[tuple[str, Any]], spoiled: list[Tensor]) -> bool:
        """Whether it is memory that may yet be written to: it is noted, and to blame where it is read as it is."""
        if plain_op(name) not in UNSET:
            return False
        about = self._described(name, inputs, spoiled, any(map(_holds_nan, spoiled)))
        for tensor in spoiled:
            self._unset.add(tensor, frozenset((Source(order=self._order, weak=True, about=about),)))
        return True

    def _writer(self) -> tuple[str, tuple[Any, ...]] | None:
        """The function of torch's that is running, if it wrote a constant itself: logdet answers with one."""
        if not self.calls or plain_op(self.calls[-1][0]) in FILLS | _WRITING_CALLS:
            return None
        return self.calls[-1]

    def _entered(self, source: Source, name: str, inputs: Sequence[tuple[str, Any]], spoiled: list[Tensor]) -> Source:
        """A value that was there before, with the op that it came in by; one that only hands it on does not count."""
        plain = plain_op(name)
        if not source.kind or source.about or plain in FILLS | _HANDING_ON:
            return source
        nan = any(map(_holds_nan, spoiled))
        about = self._described(name, inputs, spoiled, nan)
        return replace(source, about=about, weak=source.weak and plain not in _NO_MASKS, entered=self._order)

    def _described(
        self, name: str, inputs: Sequence[tuple[str, Any]], outputs: list[Tensor], nan: bool
    ) -> dict[str, Any]:
        spoiled = first_spoiled(outputs, nan=nan)
        assert spoiled is not None
        found = {
            "op": _KNOWN_AS.get(name, plain_op(name)),
            "module": self.tracer.current_module,
            "produced": "nan" if nan else "inf",
            "count": spoiled.bad,
            "numel": spoiled.output.numel(),
        }
        node = _running_node()
        if node is None:
            found |= {"unseen": not self.calls}
            place = self.tracer.place_of(sys._getframe())
        else:  # inside torch.autograd.grad: the op whose gradient is being taken
            sequence = node._sequence_nr()
            place = self.tracer.place_at(sequence) or self.tracer.place_of(sys._getframe())
            found |= {"op": plain_op(node.name()), "module": self.tracer.module_at(sequence), "derived": True}
            kept = list(_saved(node))
            inputs = inputs if any(_is_wrapped(value) for _, value in kept) else kept or inputs
        operands = tuple(operand(label, value, spoiled) for label, value in inputs)
        return {**found, "place": place, "operands": operands}

    def _note_derived(self) -> None:
        """Which node's backward makes the node of this op, inside torch.autograd.grad."""
        node = _running_node()
        if node is not None:
            self._derived.setdefault(_get_sequence_nr() - 1, (node._sequence_nr(), node.name()))

    def inside(self, found: Origin, sequence: int, table: SourceTable) -> Origin:
        """An op of the backward pass by the op whose gradient it belongs to, where torch.autograd.grad made its node.

        `sequence` is that of its node.
        """
        op, seen = "", {sequence}
        while self.tracer.is_derived(sequence) and (below := self._derived.get(sequence)) and below[0] not in seen:
            sequence, op = below
            seen.add(sequence)
        if not op:
            return found
        source = table.line(self.tracer.place_at(sequence)) or found.source
        return replace(found, op=plain_op(op), module=self.tracer.module_at(sequence), source=source, derived=True)

    def note_read(self, tensors: Iterable[Tensor]) -> None:
        """Values of these tensors left torch, so that Python may decide by them."""
        self._read |= self._ledger.of_all(t for t in tensors if not _is_real(t) or not _is_finite(t))

    def behind(self, *tensors: Tensor) -> Sources:
        """Who made what is not finite in these tensors."""
        return self._ledger.of_all(t for t in tensors if _is_real(t) and not _is_finite(t))

    def touching(self, tensor: Tensor) -> Sources:
        """Who made what is not finite in anything that a tensor was made from, whatever became of it."""
        return self._touched.of(tensor)

    def behind_error(self, error: BaseException) -> Sources:
        """Who made the values for which the pass stopped: an op refused them, or the user's code saw them."""
        if isinstance(error, RuntimeError) and _ANOMALY in str(error):  # a mode of the user's looked on
            return self.made
        return self._refused or (self._read if _is_deliberate(error) else NOBODY)

    @property
    def made(self) -> Sources:
        """Every op that made something which is not finite, whatever became of it."""
        return frozenset(source for source in self._made if not source.weak or source.about["op"] in WRITERS)


def origin_of(source: Source | None, table: SourceTable) -> Origin | None:
    """What is told of a source: the op that made a value, or by which one that was there before came in."""
    if source is None or not source.about:
        return None
    about = dict(source.about)
    about.pop("unseen", None)
    at, line = about.pop("at", None), table.line(about.pop("place"))
    return Origin(source=table.at(*at) if at is not None else line, **about)


def scripted_place(error: BaseException) -> tuple[str, int] | None:
    """File and line of the user's scripted function that an op failed in, as TorchScript's interpreter tells them."""
    while error.__cause__ is not None:
        error = error.__cause__
    found = _SCRIPTED.findall(str(error)) if "in the TorchScript interpreter" in str(error) else []
    return (found[-1][0], int(found[-1][1])) if found and Path(found[-1][0]).is_file() else None


_SCRIPTED = re.compile(r'File "([^"]+)", line (\d+)')


class _Leaving(TorchFunctionMode):
    """Hears of values that leave torch without an op."""

    def __init__(self, search: OriginSearch) -> None:
        super().__init__()
        self._search = search

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = function_name(func)
        if name in LEAVING:
            with torch._C._DisableTorchDispatch():
                self._search.note_read(t for t in args if isinstance(t, Tensor))
        self._search.calls.append((name, args))
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self._search.calls.pop()


_CAST = "_to_copy"
_ANOMALY = "returned nan values in its"
_KNOWN_AS = {"lift_fresh": "tensor"}
_HANDING_ON = frozenset(
    "clone cat stack index index_select gather alias contiguous resolve_conj expand".split()
) | frozenset(plain_op(f"{name}Backward0") for name in VIEWS | PARTS)
"""What copies values as they are: no news of where one came in."""
_WRITING_CALLS = frozenset("tensor as_tensor full full_like new_full new_tensor setitem index_put".split())
_NO_MASKS = frozenset("mm addmm addmv mv convolution convolution_overrideable linear mean sum".split()) | SPREADS
"""What takes no mask: an -inf that goes into it is a value."""


def _running_node() -> Any:
    """The node whose backward is running on this thread, as inside torch.autograd.grad."""
    found = getattr(torch._C, "_current_autograd_node", None)
    return found() if found is not None else None


def _decisions(args: Any, kwargs: Mapping[str, Any]) -> Iterator[Tensor]:
    """The arguments that are no amounts, such as what `isnan` answered."""
    return (t for t in tensors_in((args, kwargs)) if not _is_real(t))


def _is_deliberate(error: BaseException) -> bool:
    """Whether code looked at values and stopped, rather than that a function of torch's was called wrongly."""
    if isinstance(error, (SystemExit, ValueError, ArithmeticError, AssertionError)):
        return True
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at is not None and opname[at.tb_frame.f_code.co_code[at.tb_lasti]] == "RAISE_VARARGS"


class BackwardSearch:
    """Looks at one node of the graph while a backward pass runs through it.

    Attributes:
        behind: Who made what it had saved, as far as that is not finite, by the search in the forward pass.
    """

    def __init__(self, graph: Graph, index: int, search: OriginSearch | None = None) -> None:
        self._index, self._node, self._search = index, graph.nodes[index], search
        self._sequence = self._node._sequence_nr()
        self.behind: Sources = NOBODY
        self._incoming: list[Tensor | None] = []
        self._saved: list[tuple[str, Any]] = []
        self._found: dict[str, Any] | None = None
        self._node.register_prehook(self._before)
        self._node.register_hook(self._after)

    def _before(self, gradients: Sequence[Tensor | None]) -> None:
        self._incoming = [None if g is None else g.clone() for g in gradients]
        self._saved = list(_saved(self._node))
        if self._search is not None:
            self.behind = self._search.behind(*(value for _, value in self._saved if isinstance(value, Tensor)))

    def _after(self, gradients: Sequence[Tensor | None], _: Any) -> None:
        sent = [g for g in gradients if g is not None]
        nan = any(map(_holds_nan, sent))
        spoiled = first_spoiled(sent, nan=nan)
        if spoiled is not None:
            self._found = {
                "produced": "nan" if nan else "inf",
                "count": spoiled.bad,
                "numel": spoiled.output.numel(),
                "operands": tuple(operand(label, value, spoiled) for label, value in self._saved),
                "unwanted": self._unwanted(spoiled, nan),
            }
        self._incoming, self._saved = [], []

    def _unwanted(self, spoiled: Spoiled, nan: bool) -> float | None:
        arrived = next((g for g in self._incoming if g is not None), None)
        if arrived is None or arrived.numel() == 0:
            return None
        try:
            arrived = arrived.broadcast_to(spoiled.output.shape)
        except RuntimeError:
            return float((arrived == 0).all())
        wrong = torch.isnan(spoiled.output) if nan else ~torch.isfinite(spoiled.output)
        return float((arrived[wrong] == 0).double().mean())

    def origin(self, ops: Sequence[Op], sources: SourceTable) -> Origin | None:
        """What was found; None where the node was finite this time."""
        if self._found is None:
            return None
        op = ops[self._index]
        line = sources.lines()[op.source] if op.source >= 0 else None
        found = Origin(op=plain_op(op.name), node=self._index, module=op.module, source=line, **self._found)
        return found if self._search is None else self._search.inside(found, self._sequence, sources)


def _grew(outputs: Iterable[Tensor]) -> bool:
    """Whether there is Inf, rather than the -Inf of a mask."""
    return any(bool((t.real == torch.inf).any()) for t in outputs)


def _fresh(inputs: Sequence[tuple[str, Any]], output: Tensor) -> Tensor | None:
    """Where an op that goes element by element made what is not finite of what was; None where it did nowhere."""
    fresh = ~torch.isfinite(output)
    for _, value in inputs:
        if isinstance(value, Tensor) and _is_real(value) and not _is_finite(value):
            try:
                fresh &= torch.isfinite(value).broadcast_to(output.shape)
            except RuntimeError:
                return None
    return fresh if bool(fresh.any()) else None


def _inputs(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[str, Any]]:
    """The tensors, masks left out, and the numbers among an op's arguments, by the names of its schema."""
    schema = {argument.name: str(argument.type) for argument in func._schema.arguments if not argument.is_out}
    found: list[tuple[str, Any]] = []
    for name, value in (*zip(schema, args, strict=False), *((k, v) for k, v in kwargs.items() if k in schema)):
        if isinstance(value, float) or (type(value) is int and schema.get(name) in ("Tensor", "number")):
            found.append((name, value))
        elif name.endswith("_lengths") and isinstance(value, (list, tuple)):
            found.append((name, torch.tensor(value)))
        else:
            found.extend((name, t) for t in tensors_in(value) if t.dtype is not torch.bool)
    return found


def _saved(node: Any) -> Iterator[tuple[str, Any]]:
    """What a node keeps from the forward pass; a custom Function's tensors have no names."""
    if isinstance(getattr(node, "saved_tensors", None), tuple):
        yield from ((f"saved {i}", t) for i, t in enumerate(node.saved_tensors) if t is not None and _is_real(t))
        return
    for name in sorted(dir(node)):
        if name.startswith("_saved_"):
            value = None
            with suppress(RuntimeError):  # a tensor that was packed away or freed
                value = getattr(node, name)
            if isinstance(value, float) or (isinstance(value, Tensor) and _is_real(value)):
                yield name.removeprefix("_saved_"), value


def _is_real(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _is_wrapped(value: Any) -> bool:
    """Whether it is a tensor of torch.func's, whose values cannot be read where its gradient is being taken."""
    return isinstance(value, Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(value)


def _is_finite(tensor: Tensor) -> bool:
    if tensor._is_zerotensor():  # autograd's 0 that has no memory: reading it is a segfault
        return True
    try:
        return bool(torch.isfinite(tensor).all())
    except (RuntimeError, NotImplementedError):  # a dtype or a layout that torch cannot ask
        return True


def _holds_nan(tensor: Tensor) -> bool:
    try:
        return bool(torch.isnan(tensor).any())
    except (RuntimeError, NotImplementedError):
        return False
