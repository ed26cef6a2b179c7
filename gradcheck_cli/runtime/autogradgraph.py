"""Walk the autograd graph under a loss and measure every gradient in it as it passes by.

A gradient is measured where it arrives, in a pre-hook of its node. Only a node that shares a child
with others (a merge) also needs a look at what it sends, in a post-hook. Ops that hand their gradient
on unchanged (views, additions without broadcasting) need neither: their child's norm is their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradcheck_cli.records.ops import LEAF, PARTS, SUMS, VIEWS, stem
from gradcheck_cli.runtime.norms import Scalar, norm, settle
from gradcheck_cli.runtime.tensors import gradient_norm

Node = Any
_NORM_KEEPING = VIEWS | PARTS


class Graph:
    """The nodes under `loss.grad_fn`, from the loss down, with what their gradients measure.

    `nodes[i]` sends its gradients to the nodes at `children[i]`. After `backward`, `settled()` gives
    the total that arrived at each node and the contribution of each edge.
    """

    def __init__(self, root: Node) -> None:
        self.nodes, self.children = _topological(root)
        self.names = [_clean(node.name()) for node in self.nodes]
        self.parents = [0] * len(self.nodes)
        for targets in self.children:
            for _, child in targets:
                self.parents[child] += 1
        self._totals: list[Scalar | None] = [None] * len(self.nodes)
        self._sent: dict[int, list[Scalar]] = {}
        self._same_as_parent = [-1] * len(self.nodes)
        self._handles: list[Any] = []

    def leaves(self) -> dict[int, Tensor]:
        """The leaf tensors by the index of their node."""
        return {i: node.variable for i, node in enumerate(self.nodes) if self.names[i] == LEAF}

    def watch(self, before: dict[int, Callable[[], None]]) -> None:
        """Put the hooks on; `before[i]` also runs just before node i does, while its saved tensors live."""
        for index in range(len(self.nodes)):
            self._find_unchanged(index)
        for index, node in enumerate(self.nodes):
            if self.names[index] == LEAF:
                continue
            look = before.get(index)
            if self._same_as_parent[index] < 0:
                self._handles.append(node.register_prehook(self._arrival(index, look)))
            elif look is not None:
                self._handles.append(node.register_prehook(lambda _, look=look: look()))
            merges = any(self.parents[child] > 1 for _, child in self.children[index])
            if merges and not self._passes_on(index):
                self._handles.append(node.register_hook(self._departure(index)))

    def _arrival(self, index: int, look: Callable[[], None] | None) -> Callable[[Any], None]:
        totals = self._totals

        def arrived(gradients: Sequence[Tensor | None]) -> None:
            with torch._C.DisableTorchFunction():  # neither a sub-class nor a mode of the user's looks on
                totals[index] = _joint_norm(gradients)
                if look is not None:
                    look()

        return arrived

    def _departure(self, index: int) -> Callable[[Any, Any], None]:
        slots, sent = [slot for slot, _ in self.children[index]], self._sent

        def departed(gradients: Sequence[Tensor | None], _: Any) -> None:
            with torch._C.DisableTorchFunction():
                sent[index] = [_joint_norm((gradients[slot],)) for slot in slots]

        return departed

    def _passes_on(self, index: int) -> bool:
        """Whether every contribution of this node has the norm of what it received."""
        kind = stem(self.names[index])
        return kind in _NORM_KEEPING or (
            kind in SUMS and all(self._keeps_shape(index, c, k) for k, c in self.children[index])
        )

    def _keeps_shape(self, index: int, child: int, slot: int) -> bool:
        node = self.nodes[index]
        if getattr(node, "_saved_alpha", 1) != 1:
            return False
        if self.names[child] == LEAF:
            return bool(self.nodes[child].variable.shape == node._input_metadata[0].shape)
        output = node.next_functions[slot][1]
        return bool(self.nodes[child]._input_metadata[output].shape == node._input_metadata[0].shape)

    def _find_unchanged(self, index: int) -> None:
        kind = stem(self.names[index])
        for slot, child in self.children[index]:
            if self.parents[child] != 1 or self.names[child] == LEAF:
                continue
            if kind in _NORM_KEEPING or (kind in SUMS and self._keeps_shape(index, child, slot)):
                self._same_as_parent[child] = index

    def arrived_at_leaf(self, index: int, value: Scalar) -> None:
        """Record the gradient that a leaf was given."""
        self._totals[index] = value

    def settled(self) -> tuple[list[float], list[list[tuple[int, float]]]]:
        """Totals by node, and (child, contribution) pairs by node, as plain floats."""
        flat: list[Scalar] = [0.0 if t is None else t for t in self._totals]
        offsets = dict.fromkeys(self._sent, 0)
        for index, values in self._sent.items():
            offsets[index] = len(flat)
            flat.extend(values)
        values_ = settle(flat)
        totals = values_[: len(self.nodes)]
        for index, parent in enumerate(self._same_as_parent):  # parents stand before their children
            if parent >= 0:
                totals[index] = totals[parent]
        edges = [self._edges(i, totals, values_, offsets) for i in range(len(self.nodes))]
        return totals, edges

    def _edges(
        self, index: int, totals: list[float], values: list[float], offsets: dict[int, int]
    ) -> list[tuple[int, float]]:
        start = offsets.get(index)
        unchanged = start is None and self._passes_on(index)
        edges = []
        for position, (_, child) in enumerate(self.children[index]):
            if self.parents[child] == 1:
                contribution = totals[child]
            elif unchanged:
                contribution = totals[index]
            else:
                contribution = 0.0 if start is None else values[start + position]
            edges.append((child, contribution))
        return edges

    def release(self) -> None:
        """Let go of the nodes: their hooks hold us, and the collector cannot see through them.

        One by one from the loss down. A node that Python has seen frees the next one from within its own
        destructor, and a chain of 50,000 of those overflows the stack.
        """
        for handle in self._handles:  # a batch may hang from a graph of the user's, which lives on
            handle.remove()
        self._handles.clear()
        self.nodes.reverse()
        while self.nodes:
            self.nodes.pop()
        self._totals.clear()
        self._sent.clear()


def _joint_norm(gradients: Sequence[Tensor | None]) -> Scalar:
    present = [g for g in gradients if g is not None]
    if len(present) == 1:
        return gradient_norm(present[0])
    if not present:
        return 0.0
    return norm(torch.stack([torch.as_tensor(gradient_norm(g), device=present[0].device).double() for g in present]))


def _clean(name: str) -> str:
    return LEAF if name.endswith("AccumulateGrad") else name.rpartition("::")[2]


def _topological(root: Node) -> tuple[list[Node], list[list[tuple[int, int]]]]:
    """Nodes so that each stands before those it sends to, and the (slot, child) pairs of each.

    Sequence numbers would not do: nodes made by a double backward on a device's own thread have
    another thread's numbers. Nothing is under a pass that stopped before there was a loss.
    """
    if root is None:
        return [], []
    waiting: dict[Node, int] = {root: 0}
    stack = [root]
    while stack:
        for child, _ in stack.pop().next_functions:
            if child is not None:
                if child not in waiting:
                    waiting[child] = 0
                    stack.append(child)
                waiting[child] += 1
    nodes: list[Node] = []
    index: dict[Node, int] = {}
    ready = [root]
    while ready:
        node = ready.pop()
        index[node] = len(nodes)
        nodes.append(node)
        for child, _ in node.next_functions:
            if child is not None:
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
    children = [
        [(slot, index[child]) for slot, (child, _) in enumerate(node.next_functions) if child is not None]
        for node in nodes
    ]
    return nodes, children
