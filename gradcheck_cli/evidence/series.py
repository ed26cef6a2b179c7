"""A gradient through time: what each step of a weight that is used again and again receives from later steps. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.records.measurement import Op
from gradcheck_cli.records.ops import SAME_VALUES
from gradcheck_cli.records.series import STEPS, Series


def series_through_time(graph: OpGraph) -> tuple[Series, ...]:
    """The series of every weight that is used at many steps, each of which takes in what an earlier one put out."""
    ops = graph.measurement.ops
    signal = _carries_signal(ops)
    found, seen = [], set()
    for index, parameter in enumerate(graph.measurement.parameters):
        if parameter.op is None or len(parameter.shape) < 2:
            continue
        uses = tuple(sorted(uses_of(parameter.op, graph), key=lambda i: ops[i].sequence))
        if len(uses) >= STEPS and uses not in seen and _feeds_forward(uses, ops):
            seen.add(uses)
            series = _series(index, uses, ops, signal)
            if series is not None:
                found.append(series)
    return tuple(found)


def uses_of(leaf: int, graph: OpGraph) -> set[int]:
    """The ops that use a parameter, looking through the transposes and views of it."""
    uses, stack, seen = set(), [leaf], {leaf}
    while stack:
        for sender in graph.senders[stack.pop()]:
            if sender in seen:
                continue
            seen.add(sender)
            if graph.stem(sender) in SAME_VALUES:
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
        if not op.edges or op.stem in SAME_VALUES:
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
    runs = (list(group) for positive, group in groupby(carry, key=lambda value: value > 0) if positive)
    return max(runs, key=len, default=[])


def _horizon(decades: Sequence[float]) -> int:
    """Steps back from the largest signal until it stays below 1 % of it."""
    signal = [0.0]
    for step in reversed(decades):
        signal.append(signal[-1] + step)
    peak = signal.index(max(signal))
    within = [i for i, value in enumerate(signal) if i >= peak and value >= signal[peak] - 2]
    return within[-1] - peak + 1
