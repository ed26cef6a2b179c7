"""Gradients that are exactly zero, or that never came: at which ops, and why each lets nothing through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.records.blockage import Blockage, Reason
from gradcheck_cli.records.ops import (
    DISTANCES,
    DIVISIONS,
    EXPONENTIALS,
    LEAF,
    MATRIX_PRODUCTS,
    NORMALIZATIONS,
    PRODUCTS,
    RECTIFIERS,
    SATURATING,
    STEP_FUNCTIONS,
    VIEW_LIKE,
    is_custom,
)


@dataclass(frozen=True, eq=False)
class Blocking:
    """Where gradients end, for every op and layer of a graph."""

    graph: OpGraph

    def opening(self, op: int) -> str | None:
        """The factor that is all zero, that gets a gradient, and that closes this op. A zero bias closes nothing."""
        parameters = [self.graph.measurement.parameters[i] for i in self.graph.parameters_under(op)]
        stem = self.graph.stem(op)
        if stem in NORMALIZATIONS:
            parameters = parameters[:1]  # weight, then bias
        elif stem not in PRODUCTS | DIVISIONS:
            parameters = [p for p in parameters if len(p.shape) >= 2]
        found = (p.names[0] for p in parameters if p.weight_norm == 0 and (p.grad_norm or 0) > 0)
        return next(found, None) or self._zero_factor(op)

    def _zero_factor(self, op: int) -> str | None:
        """The parameter that makes the other factor of a product 0: of a layer that is all zero and gets a gradient."""
        edges = self.graph.op(op).edges
        if self.graph.stem(op) not in PRODUCTS | MATRIX_PRODUCTS or all(edge.norm for edge in edges):
            return None
        for edge in edges:
            below = edge.to
            while self.graph.stem(below) in VIEW_LIKE and self.graph.op(below).edges:
                below = self.graph.op(below).edges[0].to
            made_of = [self.graph.measurement.parameters[i] for i in self.graph.parameters_under(below)]
            if made_of and all(p.weight_norm == 0 for p in made_of):
                gate = next((p.names[0] for p in made_of if (p.grad_norm or 0) > 0 and len(p.shape) > 1), None)
                if gate is not None:
                    return gate
        return None

    def factors(self, op: int) -> tuple[str, ...]:
        """The parameters that are all zero and close each other for good: one in each factor of this product.

        The gradient of either is a multiple of the other, so that none of them ever moves. () where it is not so.
        """
        if self.graph.stem(op) not in PRODUCTS | MATRIX_PRODUCTS:
            return ()
        closed = [edge.to for edge in self.graph.op(op).edges if edge.norm == 0]
        found = [self._zero_below(to) for to in closed] if len(closed) > 1 else []
        names = tuple(dict.fromkeys(name for name in found if name))
        return names if all(found) and len(names) > 1 else ()

    def _zero_below(self, op: int) -> str:
        """A parameter that is all zero and gets a gradient of exactly zero, by ways on which no gradient comes."""
        ops, parameters = self.graph.measurement.ops, self.graph.measurement.parameters
        stack, seen = [op], {op}
        while stack and len(seen) < _FAR:
            index = stack.pop()
            if index in self.graph.leaf_parameter:
                found = parameters[self.graph.leaf_parameter[index]]
                if found.weight_norm == 0 and found.grad_norm == 0:
                    return found.names[0]
            elif not ops[index].total > 0:
                below = [edge.to for edge in ops[index].edges if edge.to not in seen]  # a weight comes after its bias
                seen.update(below)
                stack.extend(below)
        return ""

    def reason(self, op: int) -> Reason:
        """Why an op that received a gradient sends none."""
        if self.opening(op) is not None:
            return Reason.OPENS
        if self.factors(op):
            return Reason.PRODUCT
        if is_custom(self.graph.op(op).name):
            return Reason.SURROGATE if self.graph.op(op).module >= 0 else Reason.MASKED
        return Reason.SATURATED if self._underflown(op) is not None else self._by_name(op)

    def _underflown(self, op: int) -> int | None:
        """The exponential of a distance that is 0 for most pairs, so that what is left are distances of 0."""
        if self.graph.stem(op) not in DISTANCES:
            return None
        above = {op}
        for _ in range(_KERNEL):
            above = {s for i in above for s in self.graph.senders[i]}
            for i in above:
                lens = self.graph.lenses.get(i)
                if self.graph.stem(i) in EXPONENTIALS and lens is not None and (lens.saturated or 0.0) > _MOST:
                    return i
            above = {i for i in above if self.graph.stem(i) in _IN_A_KERNEL}
        return None

    def _by_name(self, op: int) -> Reason:
        stem, lens = self.graph.stem(op), self.graph.lenses.get(op)
        if stem in STEP_FUNCTIONS:
            return Reason.STEP
        if stem in RECTIFIERS and self.graph.op(op).module >= 0:
            return Reason.RECTIFIER
        if lens is not None and lens.length == 1:
            return Reason.SINGLE
        return Reason.SATURATED if stem in SATURATING else Reason.MASKED

    @cached_property
    def _above(self) -> Sequence[Blockage]:
        """For each op that got nothing, and each leaf, what blocks all the ways down to it."""
        ops, senders = self.graph.measurement.ops, self.graph.senders
        above = [_NOTHING] * len(ops)
        alone: dict[int, Blockage] = {}
        for index, op in enumerate(ops):
            if op.total > 0 and op.name != LEAF:
                continue
            for sender in senders[index]:
                if ops[sender].total > 0 and sender not in alone:
                    alone[sender] = self._alone(sender)
                above[index] = above[index].joined(alone.get(sender, above[sender]))
        return above

    def _alone(self, op: int) -> Blockage:
        reason, underflown = self.reason(op), self._underflown(op)
        at = op if underflown is None or reason is not Reason.SATURATED else underflown
        first = tuple(at if each is reason else None for each in Reason)
        return Blockage(first, op if is_custom(self.graph.op(op).name) else None)

    def of(self, module: int) -> Blockage:
        """What received a gradient above a layer and sent exactly nothing towards it."""
        return self._joined(p.op for p in self.graph.parameters_of(module) if p.op is not None)

    def _joined(self, leaves: Iterable[int]) -> Blockage:
        found = _NOTHING
        for leaf in leaves:
            found = found.joined(self._above[leaf])
        return found

    def starved_at(self, op: int) -> frozenset[int]:
        """The modules of the parameters on some way to which the gradient ends at `op`."""
        ops = self.graph.measurement.ops
        starved, stack, seen = set[int](), [op] if ops[op].total > 0 else [], {op}
        while stack:
            for edge in ops[stack.pop()].edges:
                if edge.to in seen:
                    continue
                seen.add(edge.to)
                if edge.to in self.graph.leaf_parameter:
                    starved.add(self.graph.measurement.parameters[self.graph.leaf_parameter[edge.to]].module)
                elif not ops[edge.to].total > 0:
                    stack.append(edge.to)
        return frozenset(starved)


_KERNEL = 6
"""Ops between a distance and the exponential of it."""
_IN_A_KERNEL = VIEW_LIKE | PRODUCTS | DIVISIONS | {"Sum", "Neg", "Add", "Sub", "Pow", "Sqrt", "ClampMin", "Mean"}
_MOST = 0.5
_FAR = 1000
"""Ops below a product among which a factor that is all zero is looked for."""
_NOTHING = Blockage()
