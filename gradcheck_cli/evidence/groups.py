"""The factors of one gradient in groups: what took its decades, in which modules, at which line. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence, Set
from itertools import pairwise
from math import log10
from typing import NamedTuple

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.evidence.paths import Paths
from gradcheck_cli.evidence.series import uses_of
from gradcheck_cli.records.account import Account
from gradcheck_cli.records.group import Group
from gradcheck_cli.records.ops import JOINS, kind_of, plain_op
from gradcheck_cli.records.series import STEPS

_RECURRENT = frozenset(("RNN", "LSTM", "GRU"))
"""Modules of torch that run through a sequence."""


class _Factor(NamedTuple):
    """One factor of an account, in decades: of the op at `op`, or of the branches that meet there."""

    op: int
    decades: float
    merge: bool


class _Key(NamedTuple):
    """What the factors of a group have in common; numbered siblings count as one module."""

    kind: str
    module: str
    source: int


def grouped(paths: Paths, account: Account, common: Set[int]) -> tuple[Group, ...]:
    """The groups of an account, the largest first; their decades add up to those along its path.

    Args:
        paths: The strongest paths.
        account: Whose factors are grouped.
        common: Ops on the path that another layer's gradient comes down as well. What is lost on the way to them makes
            one group of the kind "shared".
    """
    graph = paths.graph
    found: dict[_Key, list[_Factor]] = {}
    cell = ""
    for child, factor in reversed(list(_factors(paths, account))):
        cell = _cell_of(graph, factor, cell)
        key = _Key("shared", "", -1) if child in common else _key(graph, factor, cell)
        found.setdefault(key, []).append(factor)
    groups = (_group(graph, key, factors[::-1]) for key, factors in found.items())
    return tuple(sorted(groups, key=lambda group: -abs(group.decades)))


def _factors(paths: Paths, account: Account) -> Iterator[tuple[int, _Factor]]:
    """The factors that are not 1, from the leaf up, each with the op that it leads down to."""
    for child, op in pairwise(paths.climb(account.leaf)):
        sent = paths.ledger.sent[child]
        merge, own = log10(paths.graph.op(child).total / sent), paths.factor(child)
        if merge:
            yield child, _Factor(child, merge, True)
        if own:
            yield child, _Factor(op, own, False)


def _key(graph: OpGraph, factor: _Factor, cell: str) -> _Key:
    op = graph.op(factor.op)
    if cell and (op.stem in JOINS or _stepwise(graph, op.module)):
        return _Key("step", cell, -1)
    path = graph.measurement.modules[op.module].path if op.module >= 0 else ""
    return _Key(_kind(graph, factor), _siblings(path), op.source)


def _cell_of(graph: OpGraph, factor: _Factor, above: str) -> str:
    """The module that is run step after step which a factor belongs to, or lies right below; "" for none.

    What reads one piece of the sequence that such a module took in gets little where little came back to that step.
    """
    op = graph.op(factor.op)
    if _stepwise(graph, op.module):
        return graph.path_of(op.module)
    return above if op.stem in JOINS or not graph.weighted[factor.op] else ""


def _stepwise(graph: OpGraph, module: int) -> bool:
    """Whether a module runs through a sequence, or is called again and again as its cell."""
    if module < 0:
        return False
    found = graph.measurement.modules[module]
    return found.kind in _RECURRENT or (found.kind.endswith("Cell") and found.calls >= STEPS)


def _siblings(path: str) -> str:
    """A path that `layers.0` and `layers.9` have in common."""
    return re.sub(r"\d+", "#", path)


def _kind(graph: OpGraph, factor: _Factor) -> str:
    """What a factor is, as a noun in the singular."""
    if factor.merge:
        return "merge"
    name = graph.op(factor.op).name
    plain = plain_op(name)
    match kind_of(name):
        case "activation":
            return f"{plain} slope"
        case "weight":
            return "weight" if graph.weighted[factor.op] else "matrix product"
    return plain


def _group(graph: OpGraph, key: _Key, factors: Sequence[_Factor]) -> Group:
    ops = tuple(dict.fromkeys(f.op for f in factors))
    cell = key.kind == "step"
    modules = dict.fromkeys(m for op in ops if _stepwise(graph, m := graph.op(op).module) or not cell)
    return Group(
        kind=key.kind,
        modules=tuple(modules) if key.kind != "shared" else (),
        source=key.source,
        decades=sum(f.decades for f in factors),
        count=_steps(graph, ops, next(iter(modules))) if cell else len(factors),
        factors=tuple((f.op, f.decades) for f in factors if not f.merge or key.kind == "merge"),
    )


def _steps(graph: OpGraph, ops: Sequence[int], module: int) -> int:
    """How many steps of a module its ops on a path belong to: a step begins where a weight is used again.

    All of them where the path leads on to one piece of the sequence.
    """
    leaves = (p.op for p in graph.parameters_of(module) if p.op is not None)
    uses = max((uses_of(leaf, graph) for leaf in leaves), key=len, default=set[int]())
    if any(not _stepwise(graph, graph.op(op).module) for op in ops):
        return max(len(uses), 1)
    starts = sorted(graph.op(use).sequence for use in uses)
    return len({bisect_right(starts, graph.op(op).sequence) for op in ops})
