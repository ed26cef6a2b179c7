"""Find the op in which values stop being finite: the first of the forward pass, or the one of the backward pass."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gradcheck_cli.probe.operands import Spoiled, first_spoiled, operand
from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.probe.tracer import Tracer
from gradcheck_cli.records.measurement import Op, Origin
from gradcheck_cli.records.ops import FILLS, WRITERS, plain_op
from gradcheck_cli.runtime.graph import Graph
from gradcheck_cli.runtime.trees import tensors_in


class OriginSearch(TorchDispatchMode):
    """Checks every op of the forward pass that runs inside it, up to the first bad one.

    It lets the pass run on from there: an exception would meet the user's own handlers on its way out.
    """

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tracer = tracer
        self._found: dict[str, Any] | None = None
        self._written: dict[str, Any] | None = None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._found is not None:
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        inputs = _inputs(func, args, kwargs)
        tensors = [t for _, t in inputs if isinstance(t, Tensor)]
        finite, clean = all(map(_is_finite, tensors)), not any(map(_holds_nan, tensors))
        if name.endswith("_"):  # it will write over what went in
            inputs = [(label, t.clone() if isinstance(t, Tensor) else t) for label, t in inputs]
        result = func(*args, **kwargs)
        outputs = list(_floating(result))
        made_nan = clean and any(map(_holds_nan, outputs))
        if made_nan or (finite and not all(map(_is_finite, outputs))):
            if plain_op(name) not in FILLS:
                self._found = self._described(name, inputs, outputs, made_nan)
            elif plain_op(name) in WRITERS:
                self._written = self._described(name, inputs, outputs, made_nan)
        return result

    def _described(
        self, name: str, inputs: Sequence[tuple[str, Any]], outputs: list[Tensor], nan: bool
    ) -> dict[str, Any]:
        spoiled = first_spoiled(outputs, nan=nan)
        assert spoiled is not None
        return {
            "place": self._tracer.place_of(sys._getframe()),
            "op": plain_op(name),
            "module": self._tracer.current_module,
            "produced": "nan" if nan else "inf",
            "count": spoiled.bad,
            "numel": spoiled.output.numel(),
            "operands": tuple(operand(label, value, spoiled) for label, value in inputs),
        }

    def origin(self, sources: SourceTable) -> Origin | None:
        """What was found, or None where every op of the replay was finite."""
        found = self._found or self._written
        return None if found is None else Origin(source=sources.line(found.pop("place")), **found)


class BackwardSearch:
    """Looks at one node of the graph while a backward pass runs through it."""

    def __init__(self, graph: Graph, index: int) -> None:
        self._index, self._node = index, graph.nodes[index]
        self._incoming: list[Tensor | None] = []
        self._saved: list[tuple[str, Any]] = []
        self._found: dict[str, Any] | None = None
        self._node.register_prehook(self._before)
        self._node.register_hook(self._after)

    def _before(self, gradients: Sequence[Tensor | None]) -> None:
        self._incoming = [None if g is None else g.clone() for g in gradients]
        self._saved = list(_saved(self._node))

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
        return Origin(op=plain_op(op.name), node=self._index, module=op.module, source=line, **self._found)


def _inputs(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[str, Any]]:
    """The tensors, masks left out, and the numbers among an op's arguments, by the names of its schema."""
    schema = {argument.name: str(argument.type) for argument in func._schema.arguments}
    found: list[tuple[str, Any]] = []
    for name, value in (*zip(schema, args, strict=False), *kwargs.items()):
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


def _floating(tree: Any) -> Iterator[Tensor]:
    return (t for t in tensors_in(tree) if _is_real(t))


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _holds_nan(tensor: Tensor) -> bool:
    return bool(torch.isnan(tensor).any())
