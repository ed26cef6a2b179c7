"""The heads of a model: matrix products by a weight with no other one between them and the loss; and what goes in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gradcheck_cli.records.ops import LEAF, NORMALIZATIONS, stem
from gradcheck_cli.runtime.autogradgraph import Graph, Node

_SIDES = {
    "Addmm": (1, 2, "mat1", "mat2"),
    "Mm": (0, 1, "self", "mat2"),
    "Bmm": (0, 1, "self", "mat2"),
    "Baddbmm": (1, 2, "batch1", "batch2"),
    "Addbmm": (1, 2, "batch1", "batch2"),
    "Mv": (0, 1, "self", "vec"),
    "Addmv": (1, 2, "mat", "vec"),
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
"""Elements of which D is taken at most."""
_LEAST_ROWS = 32
"""Rows that such a sample has at least, where there are as many."""
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
        self._own = set(map(_pointer, model.parameters())) - {0}
        constants = (b for name, b in model.named_buffers() if "parametrizations." in name)
        self._constant = set(map(_pointer, constants)) - {0}
        self._known: dict[Node, bool] = {}

    def holds(self, tensor: Tensor) -> bool:
        """Whether a tensor is a parameter, frozen or not, made of parameters alone, or a parametrization's constant."""
        if tensor.grad_fn is not None:
            return self.makes(tensor.grad_fn)
        return self.owns(tensor) or _pointer(tensor) in self._constant

    def owns(self, tensor: Tensor) -> bool:
        """Whether a tensor is a parameter, frozen or not, or a view of one; an input that needs a gradient is not."""
        return isinstance(tensor, nn.Parameter) or _pointer(tensor) in self._own

    def makes(self, node: Node | None) -> bool:
        """Whether a node puts out a parameter, a view of one, or what a few make, as weight norm does."""
        if node is None:
            return False
        if node not in self._known:
            self._known[node] = self._is_made_of_parameters(node)
        return self._known[node]

    def _is_made_of_parameters(self, node: Node) -> bool:
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
                if self._multiplies_data(below, kind):
                    return False
            if name == LEAF:
                if not self.owns(below.variable):
                    return False
                size += below.variable.numel()
            fresh = [child for child in children if child is not None and child not in seen]
            seen.update(fresh)
            stack.extend(fresh)
        # Data spreads a vector of weights over its rows; a weight is no larger than what it is made of.
        return size > 0 and (product or _numel(node) <= size)

    def _multiplies_data(self, node: Node, kind: str) -> bool:
        """Whether a product takes in what has no gradient, unless that is a constant of a parametrization."""
        for slot, name in zip(_SIDES[kind][:2], _SIDES[kind][2:], strict=True):
            if node.next_functions[slot][0] is None:
                held = _saved(node, name)
                if held is None or _pointer(held) not in self._constant:
                    return True
        return False


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
        weights.makes(feeder) or (feeder is None and held is not None and weights.owns(held))
        for feeder, held in zip(feeders, saved, strict=True)
    ]
    if made.count(True) != 1:
        return None  # both: nothing of the batch goes in; none: one activation times another, or a constant
    side = made.index(True)
    channel = 1 if kind.startswith("Convolution") else -2 if side == 0 and kind not in ("Mv", "Addmv") else -1
    return RawHead(index, saved[1 - side], channel)


def _clean(node: Node) -> str:
    name = str(node.name())
    return LEAF if name.endswith(LEAF) else name.rpartition("::")[2]


def _numel(node: Node) -> float:
    shape = node._input_metadata[0].shape
    return math.prod(shape) if all(isinstance(size, int) for size in shape) else math.inf


def _saved(node: Node, name: str) -> Tensor | None:
    try:
        found = getattr(node, f"_saved_{name}")
    except Exception:  # not kept, written to since, or packed away by the user, whose hook may raise what it likes
        return None
    return found if isinstance(found, Tensor) and is_plain(found) else None


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is one strided block of numbers, with a shape that says what is what."""
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    return tensor.layout is torch.strided and not (tensor.is_nested or tensor.is_meta or wrapped)


def _pointer(tensor: Tensor) -> int:
    """Where the memory of a tensor begins; 0 where it has none, or torch does not show it."""
    try:
        return int(tensor.untyped_storage().data_ptr())
    except Exception:  # not initialised, sparse, or of a sub-class that raises what it likes
        return 0


# ---------------------------------------------------------------- what goes in


def distinguishability(tensor: Tensor, channel: int) -> tuple[float | None, int, float]:
    """D of an activation, its rows, and what rounding leaves of D in its dtype; None of fewer than four rows.

    D is the mean square of the deviation from the mean over all but the channels, over the mean square: 0 where all
    samples (tokens, nodes) are one and the same. Of a large activation it is that of a part, drawn at random: every
    n-th row could be the first token of each text.
    """
    tensor, floor = tensor.detach(), rounding_floor(tensor.dtype)
    if not is_plain(tensor) or not (tensor.is_floating_point() or tensor.is_complex()):
        return None, 0, floor
    if tensor.dim() < 2:
        return None, 1, floor
    table = tensor.movedim(channel, -1)
    many = math.prod(table.shape[:-1])
    if many < FEWEST or not table.numel():
        return None, many, floor
    wide = _wide(_sampled(table, many))
    whole, spread = float(wide.square().mean()), float((wide - wide.mean(0)).square().mean())
    return (spread / whole if 0 < whole < math.inf and spread < math.inf else None), many, floor


def along_one_axis(tensor: Tensor, channel: int, shape: Sequence[int] = ()) -> tuple[float | None, str]:
    """The smaller D of two: between samples at one position, and between the positions of one sample; and which it is.

    All positions of a sample can have become one though the samples differ, and the other way round. None where an
    activation has no positions, or fewer than four samples or positions.

    Args:
        tensor: An activation.
        channel: Which of its dimensions holds the channels.
        shape: What it is of, where the tensor has its samples and positions in one dimension; the channels come last.
    """
    tensor = tensor.detach()
    if not is_plain(tensor) or not tensor.is_floating_point() or not tensor.numel():
        return None, ""
    table = tensor.movedim(channel, -1)
    if len(shape) > 2 and math.prod(shape) == table.numel() and shape[-1] == table.shape[-1]:
        table = table.reshape(shape)
    if table.dim() < 3:
        return None, ""
    table = _thinned(table.reshape(table.shape[0], -1, table.shape[-1])).double()
    whole = float(table.square().mean())
    if not 0 < whole < math.inf:
        return None, ""
    found = [
        (float((table - table.mean(axis, keepdim=True)).square().mean()) / whole, between)
        for axis, between in enumerate(("samples", "positions"))
        if table.shape[axis] >= FEWEST
    ]
    return min(found, default=(None, ""))


def _thinned(table: Tensor) -> Tensor:
    """Some samples and some positions of each, drawn at random, where there are many."""
    generator = torch.Generator().manual_seed(0)
    for axis in (0, 1):
        most = max(_LEAST_ROWS, table.shape[axis] * _SAMPLE // max(table.numel(), 1))
        if table.numel() > _SAMPLE and most < table.shape[axis]:
            drawn = torch.randperm(table.shape[axis], generator=generator)[:most]
            table = table.index_select(axis, drawn.to(table.device))
    return table


def _sampled(table: Tensor, many: int) -> Tensor:
    """Rows of channels, as many as are needed; of very long ones some channels."""
    if table.numel() <= _SAMPLE:
        return table.reshape(many, -1)
    count = max(_SAMPLE // table.shape[-1], _LEAST_ROWS)
    if count < many:
        drawn = torch.randint(many, (count,), generator=torch.Generator().manual_seed(0))
        table = table[torch.unravel_index(drawn.to(table.device), table.shape[:-1])]
    rows = table.reshape(-1, table.shape[-1])
    return rows[:, :: -(-rows.numel() // _SAMPLE)] if rows.numel() > 2 * _SAMPLE else rows


def _wide(rows: Tensor) -> Tensor:
    """The same numbers in float64; of a complex one its two parts, whose squares add up to its own."""
    if rows.is_complex():
        rows = torch.view_as_real(rows.resolve_conj()).flatten(-2)
    return rows.double()


def rounding_floor(dtype: torch.dtype) -> float:
    """The D of equal values that were rounded: the square of the dtype's relative precision."""
    return float(torch.finfo(dtype).eps) ** 2 if dtype.is_floating_point or dtype.is_complex else 0.0
