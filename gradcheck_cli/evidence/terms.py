"""The terms of a loss: how much of it each is, and whose gradient is larger where two of them come together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.records.ops import (
    DIFFERENCE_CALLS,
    LOSS_CALLS,
    MEANS_AND_SUMS,
    SCALINGS,
    VIEW_LIKE,
    plain_op,
)

_MOST = 16
"""Terms that are told apart; of more, the largest by what they add."""
_STEPS = 4
"""Ops by which terms that a line makes again and again are known as one."""
_PASSING = SCALINGS | MEANS_AND_SUMS | VIEW_LIKE | {"Neg", "NllLoss", "NllLoss2D"}
"""Ops behind which the one stands that names a term."""


@dataclass(frozen=True, kw_only=True)
class Addend:
    """One term, or all penalties that one line adds in the same way, as one for each of the weights.

    Attributes:
        ops: The ops that made it, in the order of the graph.
        value: How much of the loss it is.
        name: Its op as the user knows it, behind scales and means.
        given: Whether it compares anything with what is given, as an error does and a penalty does not.
    """

    ops: tuple[int, ...]
    value: float
    name: str
    given: bool


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """Where two terms come together: the norm of the gradient that each sends there, and the op nearest to the loss."""

    first: float
    second: float
    op: int


@dataclass(frozen=True, eq=False)
class LossTerms:
    """The terms of one measurement."""

    graph: OpGraph

    @cached_property
    def addends(self) -> tuple[Addend, ...]:
        """The terms, the largest by its value first."""
        values = dict[int, float]()
        for term in self.graph.measurement.terms:
            values[term.op] = values.get(term.op, 0.0) + term.value
        given, alike = self._given(sorted(values)), defaultdict[tuple[object, ...], list[int]](list)
        for op in sorted(values):
            alike[(op,) if op in given else (self.graph.op(op).source, self._steps(op))].append(op)
        found = [
            Addend(
                ops=tuple(ops),
                value=sum(values[op] for op in ops),
                name=self._name(ops[0]),
                given=ops[0] in given,
            )
            for ops in alike.values()
        ]
        return tuple(sorted(found, key=lambda addend: -abs(addend.value))[:_MOST])

    def _given(self, terms: Sequence[int]) -> frozenset[int]:
        """Those of the terms that compare something with what is given."""
        errors = [c.op for c in self.graph.measurement.comparisons if c.op >= 0 and _compares(c.function)]
        reached = self._reached([(op,) for op in terms]) if errors else ()
        bits = {reached[op] for op in errors}
        return frozenset(op for place, op in enumerate(terms) if 1 << place in bits)

    def _steps(self, op: int) -> tuple[str, ...]:
        steps = [self.graph.op(op).name]
        while len(steps) < _STEPS and self.graph.op(op).edges:
            op = self.graph.op(op).edges[0].to
            steps.append(self.graph.op(op).name)
        return tuple(steps)

    def _name(self, op: int) -> str:
        behind = op
        while self.graph.stem(behind) in _PASSING and self.graph.op(behind).edges and self.graph.op(behind).module < 0:
            behind = self.graph.op(behind).edges[0].to
        return plain_op(self.graph.op(behind if self.graph.op(behind).module < 0 else op).name)

    def _reached(self, groups: Sequence[Sequence[int]]) -> Sequence[int]:
        """For each op, in bits, the terms that send it a gradient."""
        reached = [0] * len(self.graph.measurement.ops)
        for place, ops in enumerate(groups):
            for op in ops:
                reached[op] |= 1 << place
        for index, sender in enumerate(self.graph.measurement.ops):
            for edge in sender.edges if reached[index] else ():
                reached[edge.to] |= reached[index]
        return reached

    @cached_property
    def _met(self) -> Mapping[int, Mapping[int, float]]:
        """By op at which terms come together, the square of what each of them, by its place, sends there by itself."""
        reached = self._reached([addend.ops for addend in self.addends])
        met: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for index, op in enumerate(self.graph.measurement.ops):
            alone = reached[index].bit_count() == 1
            for edge in op.edges if alone else ():
                if reached[edge.to] != reached[index]:
                    met[edge.to][reached[index].bit_length() - 1] += edge.norm**2
        return met

    def meeting(self, first: int, second: int) -> Meeting | None:
        """Where the terms at two places come together; None where nothing hears from both."""
        both = {op: sent for op, sent in self._met.items() if first in sent and second in sent}
        if not both:
            return None
        return Meeting(
            first=math.sqrt(sum(sent[first] for sent in both.values())),
            second=math.sqrt(sum(sent[second] for sent in both.values())),
            op=min(both),
        )


def _compares(function: str) -> bool:
    return function in LOSS_CALLS | DIFFERENCE_CALLS
