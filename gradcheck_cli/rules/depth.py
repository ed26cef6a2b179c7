"""GC201: layers whose gradient was lost on the way down."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gradcheck_cli.records.account import Account
from gradcheck_cli.records.blockage import Reason
from gradcheck_cli.records.choices import About
from gradcheck_cli.records.group import Group
from gradcheck_cli.records.ops import PRODUCTS
from gradcheck_cli.rules.accountwords import account_in_words, largest_loss, weights
from gradcheck_cli.rules.attribution import UNKNOWN, Blame, blamed, taken_in_words
from gradcheck_cli.rules.collapsed import collapse_in_words
from gradcheck_cli.rules.inputs import column_in_words
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.saturated import saturated_cause
from gradcheck_cli.rules.shares import shares_of
from gradcheck_cli.words import named, number, times, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def vanishing_depth(evidence: Evidence) -> Diagnoses:
    """Layers learn more than ten thousand times slower than the model's typical layer.

    Judged by the relative gradient |g| / |w| of a layer against the other layers of the same model, and
    only where the loss hardly depends on the layer (elasticity below 1e-5). The ledger says where the
    decades were lost: activation slopes, weights, a closed gate, the scale of a branch. What took at least half of
    them, beside what a layer that is well loses too, is the cause; where nothing did, it is unknown. From half of the
    decades that make it ill on, and up to one beyond them, it is a suspicion: a copy is trained to see whether those
    layers open. So it is where a branch is small by what it learns itself.
    """
    limit = evidence.thresholds.slower_decades
    exact = _saturated_at(evidence)
    slow = _slow_layers(evidence, limit) or (frozenset() if exact else _slow_layers(evidence, limit / 2))
    layers = [m for m in evidence.layers if m in slow or m in exact]
    if exact:
        yield _saturated(evidence, layers, exact)
    elif layers:
        yield from _behind(evidence, layers)


def _slow_layers(evidence: Evidence, decades: float) -> frozenset[int]:
    """The layers so many decades below the typical one that the loss hardly depends on.

    A gradient that a custom Function's own backward made has no account to blame an op by, and is left out.
    """
    typical = evidence.typical_relative_gradient
    if not typical:
        return frozenset()
    limits = evidence.thresholds
    least = typical * 10**-decades
    found = {m: evidence.layers[m] for m in evidence.trainable if evidence.paths.strongest(m) is not None}
    return frozenset(
        m
        for m, layer in found.items()
        if layer.relative_gradient is not None
        and layer.elasticity is not None
        and layer.relative_gradient < least
        and layer.elasticity < limits.insensitive_elasticity
        and not evidence.cancels(m)
    )


def _behind(evidence: Evidence, slow: Sequence[int]) -> Diagnoses:
    """The slow layers, told by the slowest."""
    worst = min(slow, key=lambda m: evidence.layers[m].relative_gradient or math.inf)
    account = evidence.paths.strongest(worst)
    assert account is not None
    factors = list(evidence.paths.factors(account))
    own = [f for f in factors if f[0] not in evidence.shared]
    culprit, decades = min(own or factors, key=lambda f: f[1])
    if evidence.gate_learns(culprit, decades):
        return
    groups = evidence.groups_lost(account)
    blame = blamed(evidence, groups)
    if blame.cause not in _BLOCKS_A_BRANCH and _is_branch(evidence, worst, frozenset(slow)):
        return
    behind = _log10(evidence.layers[worst].relative_gradient) - _log10(evidence.typical_relative_gradient)
    names = tuple(evidence.graph.path_of(m) for m in slow)
    told = _told_cause(evidence, account, groups, blame, verb(names, "its", "their"))
    near = -behind < evidence.thresholds.slower_decades + 1 or _may_open(evidence, blame)
    yield Diagnosis(
        layers=names,
        cause=blame.cause,
        message=f"{named(names)} {verb(names, 'learns', 'learn')} up to {times(-behind)} slower than the typical "
        f"layer: {told}",
        why=account_in_words(evidence, account, evidence.graph.path_of(worst)) + collapse_in_words(evidence),
        op=_first_blamed(evidence, blame),
        source=None if blame.factors else evidence.layers[worst].source,
        shares=shares_of(evidence, groups),
        numbers={
            "decades": account.decades,
            "decades_behind_typical": behind,
            **{f"decades_{kind}": value for kind, value in account.by_kind.items()},
        },
        doubt=About.PART if near else None,
    )


def _may_open(evidence: Evidence, blame: Blame) -> bool:
    """Whether a branch is small by something that is learned, as a layer scale is, or a gate that starts at next to 0.

    A small number that is written in the code stays what it is.
    """
    graph = evidence.graph
    products = (f for f in blame.factors if graph.stem(f[0]) in PRODUCTS)
    learned = sum(lost for op, lost in products if graph.weighted[op] or len(graph.op(op).edges) > 1)
    return blame.cause == "residual-scale" and learned < blame.decades / 2


_BLOCKS_A_BRANCH = frozenset(
    ("saturating-activation", "residual-scale", "gate-closed", "custom-backward", "exp-underflow")
)
"""What makes a side branch ill while the trunk is well. Query and key layers, whose scores start near
uniform, also learn slowly at first, by weights alone, and catch up as the scores grow."""


def _is_branch(evidence: Evidence, module: int, slow: frozenset[int]) -> bool:
    """Whether a healthy layer stands before this one in the forward pass: then the trunk is intact."""
    healthy = [evidence.paths.position(m) for m in evidence.trainable if m not in slow]
    return min(healthy, default=math.inf) < evidence.paths.position(module)


# ---------------------------------------------------------------- slopes of exactly 0


def _saturated_at(evidence: Evidence) -> Mapping[int, int]:
    """By layer whose gradient is exactly zero at saturated ops, the first of these."""
    found: dict[int, list[int]] = defaultdict(list)
    for module in evidence.zero_layers:
        blockage = evidence.blocking.of(module)
        op = blockage.first[Reason.SATURATED]
        if op is not None and blockage.reason is Reason.SATURATED:
            found[op].append(module)
    return {module: op for op, modules in found.items() for module in modules}


def _saturated(evidence: Evidence, layers: Sequence[int], exact: Mapping[int, int]) -> Diagnosis:
    op = min(exact.values())
    maker = evidence.graph.maker_of(op)
    names = tuple(evidence.graph.path_of(m) for m in layers)
    cause = saturated_cause(evidence, op)
    large = ""
    if cause == "input-scale":
        scale = number(max(evidence.references.input_scales))
        large = f"; the inputs' RMS is {scale}, and layers are initialised for about 1{column_in_words(evidence)}"
    left = "a gradient of exactly 0" if set(layers) <= set(exact) else "next to no gradient"
    return Diagnosis(
        layers=names,
        cause=cause,
        message=f"{named(names)} {verb(names, 'gets', 'get')} {left}: {maker} is saturated for every input",
        why=f"a gradient of norm {number(evidence.graph.op(op).total, 2)} arrives at {maker}, whose slope is 0 in this "
        f"precision{large}",
        op=op,
        numbers={"layers": len(names)},
    )


# ---------------------------------------------------------------- causes in words


def _first_blamed(evidence: Evidence, blame: Blame) -> int | None:
    """The op to show: the worst factor that is blamed, nearest to the input where many tie; None without a cause."""
    owned = (op for op, _ in blame.factors if evidence.graph.weighted[op])
    first = blame.factors[0][0] if blame.factors else None
    return next(owned, first) if blame.cause in ("depth", "small-init") else first


def _told_cause(evidence: Evidence, account: Account, groups: Sequence[Group], blame: Blame, its: str) -> str:
    """The cause in half a sentence, with the number that belongs to it."""
    if blame.cause == UNKNOWN:
        return f"no single kind of factor takes half of what {its} gradient loses"
    if blame.cause == "small-init":
        each = times(-account.by_kind["weight"] / account.count_by_kind["weight"])
        many = weights(evidence, account)
        return f"weights are too small: {its} gradient gets {each} smaller on average at each of {many}"
    op, taken = blame.factors[0]
    maker = evidence.graph.maker_of(op)
    if blame.cause == "gate-closed":
        return f"the gate at {maker} is closed and lets {number(10**taken, 1)} of {its} gradient through"
    if blame.cause == "residual-scale":
        return f"{maker} scales {its} branch by about {number(10**taken, 2)}"
    if blame.cause == "depth":
        where, lost = largest_loss(evidence, account)
        return f"{its} gradient gets {times(lost)} smaller {where}"
    return f"{its} gradient gets {times(-blame.decades)} smaller in {taken_in_words(evidence, groups, blame)}"


def _log10(value: float | None) -> float:
    return math.log10(value) if value else -math.inf
