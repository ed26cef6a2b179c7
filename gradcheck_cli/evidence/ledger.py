"""The exact account of each gradient: Measurement in, factors along the strongest path out. Pure.

From a parameter's leaf the path climbs to the loss along the in-edge with the largest contribution.
Each step has a merge factor m = t(k) / c(e) and an op factor o = c(e) / t(n); their product telescopes
to the measured norm, which is what makes the account its own proof.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.evidence.series import series_through_time
from gradcheck_cli.records.account import Account, Ledger
from gradcheck_cli.records.measurement import Op
from gradcheck_cli.records.ops import KINDS, kind_of

_MERGE = KINDS.index("merge")


def account_for(graph: OpGraph) -> Ledger:
    """Draw up the ledger; linear in the number of ops."""
    ops = graph.measurement.ops
    parent, sent, sums, counts = _climb(ops)
    accounts = []
    for index, parameter in enumerate(graph.measurement.parameters):
        leaf = parameter.op
        if leaf is None or sums[leaf] is None or not parameter.grad_norm or not math.isfinite(parameter.grad_norm):
            continue
        decades, count = sums[leaf], counts[leaf]
        assert decades is not None and count is not None
        accounts.append(
            Account(
                parameter=index,
                leaf=leaf,
                decades=math.log10(parameter.grad_norm),
                by_kind={k: d for k, d, n in zip(KINDS, decades, count, strict=True) if n},
                count_by_kind={k: n for k, n in zip(KINDS, count, strict=True) if n},
            )
        )
    return Ledger(accounts=tuple(accounts), series=series_through_time(graph), parent=tuple(parent), sent=tuple(sent))


Row = tuple[float, ...]
Counts = tuple[int, ...]


def _climb(ops: Sequence[Op]) -> tuple[list[int], list[float], list[Row | None], list[Counts | None]]:
    """For each op its strongest parent, what that sent, and by kind the decades and the number of factors down to it.

    The strongest paths form a tree rooted at the loss, so the sums are passed down it once.
    """
    parent, best = [-1] * len(ops), [0.0] * len(ops)
    for index, op in enumerate(ops):
        for child, contribution in op.edges:
            if contribution > best[child] and math.isfinite(contribution):
                best[child], parent[child] = contribution, index
    sums: list[Row | None] = [None] * len(ops)
    counts: list[Counts | None] = [None] * len(ops)
    if ops:
        sums[0], counts[0] = (0.0,) * len(KINDS), (0,) * len(KINDS)
    for index, op in enumerate(ops):
        above = parent[index]
        if above < 0 or not 0 < op.total < math.inf or not 0 < ops[above].total < math.inf:
            continue
        row, count = sums[above], counts[above]
        if row is not None and count is not None:
            factor = best[index] / ops[above].total
            sums[index], counts[index] = _step(row, count, ops[above].name, factor, op.total / best[index])
    return parent, best, sums, counts


def _step(row: Row, count: Counts, name: str, factor: float, merge: float) -> tuple[Row, Counts]:
    kind = KINDS.index(kind_of(name))
    new, number = list(row), list(count)
    new[kind] += math.log10(factor)
    number[kind] += 1
    if merge != 1.0:
        new[_MERGE] += math.log10(merge)
        number[_MERGE] += 1
    return tuple(new), tuple(number)
