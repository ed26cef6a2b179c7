"""The heads of a model: matrix products by a weight with no other one between them and the loss; and what goes in."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gradcheck_cli.records.ops import LEAF, NORMALIZATIONS, stem
from gradcheck_cli.runtime.graph import Graph, Node

_SIDES = {
    "Addmm": (1, 2, "mat1", "mat2"),
    "Mm": (0, 1, "self", "mat2"),
    "Bmm": (0, 1, "self", "mat2"),
    "Baddbmm": (1, 2, "batch1", "batch2"),
    "Mv": (0, 1, "self", "vec"),
    "Convolution": (0, 1, "input", "weight"),
    "ConvolutionOverrideable": (0, 1, "input", "weight"),
    "Linear": (0, 1, "input", "weight"),
}
"""By stem, the two inputs of a matrix product, and the names under which they are saved."""
_VECTORS = frozenset(("Mv",))
"""Products that a spectral norm takes of a weight and a constant: not every constant in them is data."""
_LARGEST_WEIGHT = 64
"""Nodes between a matrix product and the parameters that its weight is made of; beyond this it is taken for data."""
_OF_DATA = frozenset(
    "Embedding EmbeddingBag MkldnnRnnLayer CudnnRnn MiopenRnn ThnnFusedLstmCell ThnnFusedGruCell".split()
)
"""What reads data by its nature."""
_SAMPLE = 1 << 17
FEWEST = 4
"""Rows of which a deviation from the mean can be told."""


class RawHead(NamedTuple):
    """A head as a node: its index, what goes in where that was kept, and which dimension of it holds the channels."""

    op: int
    input: Tensor | None
    channel: int


class Weights:
    """Tells values that are made of parameters alone from those that data went into."""

    def __init__(self, model: nn.Module) -> None:
        self._frozen = {_pointer(p) for p in model.parameters() if not p.requires_grad and _is_plain(p)}
        self._known: dict[Node, bool] = {}

    def holds(self, tensor: Tensor) -> bool:
        """Whether a tensor is a parameter, frozen or not, or made of parameters alone."""
        if tensor.grad_fn is not None:
            return self.makes(tensor.grad_fn)
        return tensor.requires_grad or self.is_frozen(tensor)

    def is_frozen(self, tensor: Tensor) -> bool:
        """Whether a tensor is a parameter that requires no gradient, or a view of one."""
        return _is_plain(tensor) and _pointer(tensor) in self._frozen

    def makes(self, node: Node | None) -> bool:
        """Whether a node puts out a parameter, a view of one, or what a few make, as weight norm does."""
        if node is None:
            return False
        if node not in self._known:
            self._known[node] = _leads_to_parameters(node)
        return self._known[node]


def heads(graph: Graph, weights: Weights) -> list[RawHead]:
    """The heads of the graph below a loss; linear in its nodes."""
    found, seen, stack = list[RawHead](), {0}, [0] if graph.nodes else []
    while stack:
        index = stack.pop()
        head = _head(graph, index, weights)
        if head is not None:
            found.append(head)
            continue
        fresh = [child for _, child in graph.children[index] if child not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    return sorted(found, key=lambda head: head.op)


def _head(graph: Graph, index: int, weights: Weights) -> RawHead | None:
    kind = stem(graph.names[index])
    if kind not in _SIDES:
        return None
    node = graph.nodes[index]
    *slots, _, _ = _SIDES[kind]
    names = _SIDES[kind][2:]
    feeders = [node.next_functions[slot][0] for slot in slots]
    saved = [_saved(node, name) for name in names]
    made = [
        weights.makes(feeder) or (feeder is None and held is not None and weights.is_frozen(held))
        for feeder, held in zip(feeders, saved, strict=True)
    ]
    if made.count(True) != 1:
        return None  # both: nothing of the batch goes in; none: one activation times another, or a constant
    side = made.index(True)
    channel = 1 if kind.startswith("Convolution") else -2 if side == 0 and kind != "Mv" else -1
    return RawHead(index, saved[1 - side], channel)


def _leads_to_parameters(node: Node) -> bool:
    seen, stack, product, size = {node}, [node], False, 0
    while stack:
        below = stack.pop()
        name, children = _clean(below), [child for child, _ in below.next_functions]
        kind = stem(name)
        if kind in _OF_DATA or len(seen) > _LARGEST_WEIGHT:
            return False
        if kind in NORMALIZATIONS and children[0] is None:
            return False  # data, or what is made of it, goes in
        if kind in _SIDES and kind not in _VECTORS:
            product = True
            if None in (children[slot] for slot in _SIDES[kind][:2]):
                return False
        if name == LEAF:
            size += below.variable.numel()
        fresh = [child for child in children if child is not None and child not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    # Data spreads a vector of weights over its rows; a weight is no larger than what it is made of.
    return size > 0 and (product or math.prod(node._input_metadata[0].shape) <= size)


def _clean(node: Node) -> str:
    name = str(node.name())
    return LEAF if name.endswith(LEAF) else name.rpartition("::")[2]


def _saved(node: Node, name: str) -> Tensor | None:
    try:
        found = getattr(node, f"_saved_{name}")
    except (AttributeError, RuntimeError):  # not kept, packed away, or written to since
        return None
    return found if isinstance(found, Tensor) and _is_plain(found) else None


def _is_plain(tensor: Tensor) -> bool:
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    return tensor.layout is torch.strided and not (tensor.is_nested or tensor.is_meta or wrapped)


def _pointer(tensor: Tensor) -> int:
    return int(tensor.untyped_storage().data_ptr())


# ---------------------------------------------------------------- what goes in


def distinguishability(tensor: Tensor, channel: int) -> tuple[float | None, int, float]:
    """D of an activation, its rows, and what rounding leaves of D in its dtype; None of fewer than four rows.

    D is the mean square of the deviation from the mean over all but the channels, over the mean square: 0 where all
    samples (tokens, nodes) are one and the same.
    """
    rows, floor = _rows(tensor.detach(), channel), rounding_floor(tensor.dtype)
    if rows is None:
        return None, 1, floor
    many = int(rows.shape[0])
    if many < FEWEST or not rows.numel():
        return None, many, floor
    if rows.numel() > _SAMPLE:
        rows = rows[:: -(-rows.numel() // _SAMPLE)]
    wide = rows.double()
    whole = float(wide.square().mean())
    spread = float((wide - wide.mean(0)).square().mean())
    return (spread / whole if whole > 0 and spread < float("inf") else None), many, floor


def rounding_floor(dtype: torch.dtype) -> float:
    """The D of equal values that were rounded: the square of the dtype's relative precision."""
    return float(torch.finfo(dtype).eps) ** 2 if dtype.is_floating_point else 0.0


def _rows(tensor: Tensor, channel: int) -> Tensor | None:
    """The rows of channels that went in; None of a single vector."""
    if not tensor.is_floating_point() or tensor.dim() < 2:
        return None
    return tensor.movedim(channel, -1).reshape(-1, tensor.shape[channel])
