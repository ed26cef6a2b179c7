"""The exact account of each gradient: Measurement in, factors along the strongest path out. Pure.

From a parameter's leaf the path climbs to the loss along the in-edge with the largest contribution.
Each step has a merge factor m = t(k) / c(e) and an op factor o = c(e) / t(n); their product telescopes
to the measured norm, which is what makes the account its own proof.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from gradcheck_cli.records.account import Account, Ledger
from gradcheck_cli.records.kinds import KINDS, kind_of
from gradcheck_cli.records.measurement import Measurement, Op
from gradcheck_cli.records.series import Series

_MERGE = KINDS.index("merge")
_VIEWLIKE = frozenset("T Transpose View UnsafeView ReshapeAlias Permute Squeeze Unsqueeze Clone ToCopy Expand".split())


def account_for(measurement: Measurement) -> Ledger:
    """Draw up the ledger; linear in the number of ops."""
    ops = measurement.ops
    parent, sums, counts = _climb(ops)
    accounts = []
    for index, parameter in enumerate(measurement.parameters):
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
    return Ledger(accounts=tuple(accounts), series=_all_series(measurement), parent=tuple(parent))


Row = tuple[float, ...]
Counts = tuple[int, ...]


def _climb(ops: Sequence[Op]) -> tuple[list[int], list[Row | None], list[Counts | None]]:
    """For each op its strongest parent and, by kind, the decades and the number of factors down to it.

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
    return parent, sums, counts


def _step(row: Row, count: Counts, name: str, factor: float, merge: float) -> tuple[Row, Counts]:
    kind = KINDS.index(kind_of(name))
    new, number = list(row), list(count)
    new[kind] += math.log10(factor)
    number[kind] += 1
    if merge != 1.0:
        new[_MERGE] += math.log10(merge)
        number[_MERGE] += 1
    return tuple(new), tuple(number)


# --------------------------------------------------------------------------- through time


def _all_series(measurement: Measurement) -> tuple[Series, ...]:
    ops = measurement.ops
    senders: list[list[int]] = [[] for _ in ops]
    for index, op in enumerate(ops):
        for child, _ in op.edges:
            senders[child].append(index)
    signal = _carries_signal(ops)
    found, seen = [], set()
    for index, parameter in enumerate(measurement.parameters):
        if parameter.op is None or len(parameter.shape) < 2:
            continue
        uses = tuple(sorted(_uses(parameter.op, ops, senders), key=lambda i: ops[i].sequence))
        if len(uses) >= 8 and uses not in seen and _feeds_forward(uses, ops):
            seen.add(uses)
            series = _series(index, uses, ops, signal)
            if series is not None:
                found.append(series)
    return tuple(found)


def _uses(leaf: int, ops: Sequence[Op], senders: Sequence[Sequence[int]]) -> set[int]:
    """The ops that use a parameter, looking through the transposes and views of it."""
    uses, stack, seen = set(), [leaf], {leaf}
    while stack:
        for sender in senders[stack.pop()]:
            if sender in seen:
                continue
            seen.add(sender)
            if ops[sender].name.partition("Backward")[0] in _VIEWLIKE:
                stack.append(sender)
            else:
                uses.add(sender)
    return uses


def _series(parameter: int, uses: Sequence[int], ops: Sequence[Op], signal: Sequence[bool]) -> Series | None:
    """Cut the forward pass into steps at each use and see what each step receives from later ones."""
    starts = [ops[i].sequence for i in uses]
    arrived, from_later = _crossings(_windows(starts, _on_the_way_to(uses, ops)), len(starts), ops, signal)
    if not any(from_later):
        return None  # used side by side, not one after the other
    carry = tuple(from_later[i] / arrived[i + 1] if arrived[i + 1] else math.nan for i in range(len(starts) - 1))
    kept = _longest_run(carry)
    decades = [math.log10(c) for c in kept]
    return Series(
        parameter=parameter,
        steps=len(starts),
        norms=tuple(arrived),
        carry=carry,
        horizon=_horizon(decades),
        attenuation=sum(decades) / len(decades) if decades else 0.0,
    )


def _carries_signal(ops: Sequence[Op]) -> list[bool]:
    """False for the views that lead to leaves only: what they are sent is a weight's gradient, not a state's."""
    carries = [True] * len(ops)
    for index in range(len(ops) - 1, -1, -1):
        op = ops[index]
        if not op.edges or op.name.partition("Backward")[0] in _VIEWLIKE:
            carries[index] = any(carries[child] for child, _ in op.edges)
    return carries


def _feeds_forward(uses: Sequence[int], ops: Sequence[Op]) -> bool:
    """Whether most uses take in what an earlier use put out: calls side by side in a loop are not steps in time."""
    turn = {op: i for i, op in enumerate(uses)}
    latest, fed = [-1] * len(ops), 0
    for index in range(len(ops) - 1, -1, -1):  # children stand after their parents
        below = max((latest[child] for child, _ in ops[index].edges), default=-1)
        fed += index in turn and below >= 0
        latest[index] = turn.get(index, below)
    return fed >= len(uses) / 2


def _crossings(
    window: dict[int, int], steps: int, ops: Sequence[Op], signal: Sequence[bool]
) -> tuple[list[float], list[float]]:
    """What arrives in each step from outside of it, and what of that comes from later steps.

    Contributions that meet at one op may add up or cancel, so where all of them cross into the step the
    op's total is taken, and only otherwise the root of the sum of squares.
    """
    later, outside, inside = [0.0] * len(ops), [0.0] * len(ops), [False] * len(ops)
    for op in ops:
        sender = window.get(op.sequence, -1)
        for child, norm in op.edges:
            receiver = window.get(ops[child].sequence, -1)
            if receiver < 0 or not signal[child] or not math.isfinite(norm):
                continue
            if sender == receiver:
                inside[child] = True
            elif sender > receiver:
                later[child] = math.hypot(later[child], norm)
            else:
                outside[child] = math.hypot(outside[child], norm)
    arrived, from_later = [0.0] * steps, [0.0] * steps
    for index, op in enumerate(ops):
        step = window.get(op.sequence, -1)
        if later[index] or outside[index]:
            whole = not inside[index] and math.isfinite(op.total)
            total = op.total if whole else math.hypot(later[index], outside[index])
            arrived[step] = math.hypot(arrived[step], total)
            from_later[step] = math.hypot(from_later[step], total if whole and not outside[index] else later[index])
    return arrived, from_later


def _on_the_way_to(uses: Iterable[int], ops: Sequence[Op]) -> list[int]:
    """The sequence numbers of the ops above any use, the uses among them, in ascending order."""
    leads = [False] * len(ops)
    for use in uses:
        leads[use] = True
    for index in range(len(ops) - 1, -1, -1):
        leads[index] = leads[index] or any(leads[child] for child, _ in ops[index].edges)
    return sorted(op.sequence for op, above in zip(ops, leads, strict=True) if above)


def _windows(starts: list[int], above: Sequence[int]) -> dict[int, int]:
    """The step of each sequence number; a step runs to the next use, and the last is as long as the others.

    What a step prepares for the next one (a transposed weight, a projected input) is no part of that length,
    or the last step would reach into the loss.
    """
    lengths = sorted(above[bisect_left(above, b) - 1] - a + 1 for a, b in pairwise(starts))
    ends = [*starts[1:], starts[-1] + lengths[len(lengths) // 2]]
    return {s: i for i, (start, end) in enumerate(zip(starts, ends, strict=True)) for s in range(start, end)}


def _longest_run(carry: Iterable[float]) -> list[float]:
    """The longest stretch without a break: a detached state is truncation and padding is silence."""
    best: list[float] = []
    run: list[float] = []
    for value in carry:
        run = [*run, value] if value > 0 else []
        if len(run) > len(best):
            best = run
    return best


def _horizon(decades: Sequence[float]) -> int:
    """Steps back from the largest signal until it stays below 1 % of it."""
    signal = [0.0]
    for step in reversed(decades):
        signal.append(signal[-1] + step)
    peak = signal.index(max(signal))
    within = [i for i, value in enumerate(signal) if i >= peak and value >= signal[peak] - 2]
    return within[-1] - peak + 1
