"""An account told to the reader: where its decades were lost and won, in parts that add up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gradcheck_cli.records.account import Account
from gradcheck_cli.records.group import of_kind
from gradcheck_cli.records.ops import kind_of, plain_op
from gradcheck_cli.words import counted, joined, number

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

_WORTH_NAMING = 0.15
"""Decades below which a kind of factor is only part of "elsewhere"."""
_KIND_WORDS = {
    "normalization": "normalisations",
    "attention": "softmaxes and attention products",
    "loss": "the loss",
    "reduction": "means, sums and pooling",
}


def account_in_words(evidence: Evidence, account: Account, layer: str) -> str:
    """What became of a gradient of 1 on its way from the loss to a layer, in decades, by kind of factor.

    The parts that are told are rounded so that they add up to the whole that is told: "the gradient loses 8.4 decades
    (powers of ten) between the loss and `0`: 6.1 in 10 sigmoid slopes (mean slope 0.243), 1.4 in 11 weights and 0.9
    in the loss".
    """
    parts = _parts(evidence, account)
    tenths = _tenths(list(parts.values()))
    whole = sum(tenths)
    sign = 1 if whole > 0 else -1
    told = dict(zip(parts, tenths, strict=True))
    along = [f"{abs(n) / 10:.1f} {where}" for where, n in told.items() if n * sign > 0]
    against = {where: abs(n) for where, n in told.items() if n * sign < 0}
    start = f"the gradient {'gains' if sign > 0 else 'loses'} {abs(whole) / 10:.1f} decades (powers of ten)"
    return f"{start} between the loss and `{layer}`: {joined(along)}{_returned(against, sign)}"


def _returned(tenths: Mapping[str, int], sign: int) -> str:
    """What went the other way: ", less 0.8 won back in 2 weights"; several parts with their sum."""
    if not tenths:
        return ""
    back = f", less {sum(tenths.values()) / 10:.1f} {'lost again' if sign > 0 else 'won back'}"
    parts = [f"{n / 10:.1f} {where}" for where, n in tenths.items()]
    return f"{back} ({joined(parts)})" if len(parts) > 1 else f"{back} {next(iter(tenths))}"


def slopes(evidence: Evidence, account: Account, stems: frozenset[str] = frozenset()) -> str:
    """The activations on a gradient's path: `10 sigmoid slopes`; those of these stems where any are given."""
    ops = [op for op, _ in evidence.paths.factors(account)]
    graph = evidence.graph
    kept = [i for i in ops if (graph.stem(i) in stems if stems else kind_of(graph.op(i).name) == "activation")]
    return slope_words(evidence, kept)


def slope_words(evidence: Evidence, ops: Sequence[int]) -> str:
    """So many slopes of activations, by name: `10 sigmoid and 1 tanh slopes`."""
    found = Counter(plain_op(evidence.graph.op(op).name) for op in ops).most_common()
    words = [f"{count} {name}" for name, count in found]
    return f"{joined(words)} {'slope' if len(ops) == 1 else 'slopes'}"


def weights(evidence: Evidence, account: Account) -> str:
    """The weights on a gradient's path: `12 weights`, or `66 matrix products (34 of weights)`."""
    ops = [op for op, _ in evidence.paths.factors(account) if kind_of(evidence.graph.op(op).name) == "weight"]
    owned = sum(evidence.graph.weighted[op] for op in ops)
    if owned == len(ops):
        return counted(owned, "weight")
    return counted(len(ops), "matrix product") + f" ({owned} of weights)" * bool(owned)


def largest_loss(evidence: Evidence, account: Account) -> tuple[str, float]:
    """The kind of factor that took most of a gradient, as "in 12 weights", and the decades that it took."""
    kind, decades = min(account.by_kind.items(), key=lambda item: item[1])
    return _where(evidence, account, kind, decades, mean=False), -decades


def _parts(evidence: Evidence, account: Account) -> dict[str, float]:
    """Decades by what is said of them, the largest first and the crumbs together at the end."""
    kinds = sorted(account.by_kind.items(), key=lambda item: -abs(item[1]))
    told = _told_in_steps(evidence, account) or {_where(evidence, account, k, v): v for k, v in kinds}
    large = {where: decades for where, decades in told.items() if abs(decades) >= _WORTH_NAMING}
    rest = sum(account.by_kind.values()) - sum(large.values())
    return {**large, "elsewhere": rest}


def _told_in_steps(evidence: Evidence, account: Account) -> dict[str, float]:
    """The same where the path leads through modules that run step after step, by groups; empty where it does not."""
    groups = evidence.groups(account)
    if not any(group.kind == "step" for group in groups):
        return {}
    count: Counter[tuple[str, str]] = Counter()
    decades: dict[tuple[str, str], float] = defaultdict(float)
    for group in groups:
        cell = evidence.graph.path_of(group.modules[0]) if group.kind == "step" else ""
        count[group.kind, cell] += group.count
        decades[group.kind, cell] += group.decades
    ordered = sorted(decades, key=lambda key: -abs(decades[key]))
    return {_group_in_words(*key, count[key], decades[key]): decades[key] for key in ordered}


def _group_in_words(kind: str, cell: str, count: int, decades: float) -> str:
    if kind == "merge":
        return "where branches add up" if decades > 0 else "where branches cancel"
    return f"in {of_kind(count, kind)}{f' of `{cell}`' if cell else ''}"


def _where(evidence: Evidence, account: Account, kind: str, decades: float, mean: bool = True) -> str:
    if kind == "weight":
        return f"in {weights(evidence, account)}"
    if kind == "activation":
        return f"in {slopes(evidence, account)}{_mean_slope(evidence, account) if mean else ''}"
    if kind == "merge":
        return "where branches add up" if decades > 0 else "where branches cancel"
    return f"in {_KIND_WORDS[kind]}" if kind in _KIND_WORDS else f"in {_largest_other(evidence, account)}"


def _mean_slope(evidence: Evidence, account: Account) -> str:
    lenses = (evidence.graph.lenses.get(op) for op in evidence.paths.climb(account.leaf))
    found = [lens.slope for lens in lenses if lens is not None and lens.slope is not None]
    return f" (mean slope {number(sum(found) / len(found))})" if found else ""


def _largest_other(evidence: Evidence, account: Account) -> str:
    """Ops of no kind of their own, by the name that moved most: `mul`, with what else there is."""
    moved: dict[str, float] = defaultdict(float)
    for op, decades in evidence.paths.factors(account):
        name = evidence.graph.op(op).name
        if kind_of(name) == "other":
            moved[plain_op(name)] += abs(decades)
    first = max(moved, key=lambda name: moved[name])
    return f"{first} and other ops" if sum(moved.values()) - moved[first] >= _WORTH_NAMING else first


def _tenths(values: Sequence[float]) -> list[int]:
    """The values in tenths, rounded so that they add up to their rounded sum (largest remainders first)."""
    floors = [int(10 * value // 1) for value in values]
    left = round(10 * sum(values)) - sum(floors)
    by_remainder = sorted(range(len(values)), key=lambda i: floors[i] - 10 * values[i])
    lifted = set(by_remainder[:left])
    return [floor + (i in lifted) for i, floor in enumerate(floors)]
