"""GC201: layers whose gradient was lost on the way down."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gradcheck_cli.records.account import Account
from gradcheck_cli.records.blockage import Reason
from gradcheck_cli.records.choices import About
from gradcheck_cli.records.ops import BOUNDED, PRODUCTS, SCALINGS, SIGMOIDS, SPLITS, VIEW_LIKE
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.saturated import saturated_cause
from gradcheck_cli.rules.tally import largest_loss, slopes, tally, weights
from gradcheck_cli.rules.wording import named, number, times, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def vanishing_depth(evidence: Evidence) -> Diagnoses:
    """Layers learn more than ten thousand times slower than the model's typical layer.

    Judged by the relative gradient |g| / |w| of a layer against the other layers of the same model, and
    only where the loss hardly depends on the layer (elasticity below 1e-5). The ledger says where the
    decades were lost: activation slopes, weights, a closed gate, the scale of a branch. From half of these decades on,
    and up to one beyond them, it is a suspicion: a copy is trained to see whether those layers open.
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
    cause = _depth_cause(evidence, account, culprit, decades)
    if cause not in _BLOCKS_A_BRANCH and _is_branch(evidence, worst, frozenset(slow)):
        return
    behind = _log10(evidence.layers[worst].relative_gradient) - _log10(evidence.typical_relative_gradient)
    names = tuple(evidence.graph.path_of(m) for m in slow)
    told = _told_cause(evidence, account, cause, culprit, verb(names, "its", "their"))
    near = -behind < evidence.thresholds.slower_decades + 1
    yield Diagnosis(
        layers=names,
        cause=cause,
        message=f"{named(names)} {verb(names, 'learns', 'learn')} up to {times(-behind)} slower than the typical "
        f"layer: {told}",
        why=tally(evidence, account, evidence.graph.path_of(worst)),
        op=_first_blamed(evidence, account, cause, culprit),
        numbers={
            "decades": account.decades,
            "decades_behind_typical": behind,
            **{f"decades_{kind}": value for kind, value in account.by_kind.items()},
        },
        doubt=About.PART if near else None,
    )


_BLOCKS_A_BRANCH = frozenset(("saturating-activation", "residual-scale", "gate-closed"))
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
    left = "a gradient of exactly 0" if set(layers) <= set(exact) else "next to no gradient"
    return Diagnosis(
        layers=names,
        cause=saturated_cause(evidence, op),
        message=f"{named(names)} {verb(names, 'gets', 'get')} {left}: {maker} is saturated for every input",
        why=f"a gradient of norm {number(evidence.graph.op(op).total, 2)} arrives at {maker}, whose slope is 0 in this "
        "precision",
        op=op,
        numbers={"layers": len(names)},
    )


# ---------------------------------------------------------------- causes


def _depth_cause(evidence: Evidence, account: Account, culprit: int, decades: float) -> str:
    lost = {kind: -value for kind, value in account.by_kind.items()}
    alone = decades < -evidence.thresholds.slower_decades / 2  # one op took half of what makes a layer slow
    stem = evidence.graph.stem(culprit)
    bounded = -evidence.paths.lost_in(BOUNDED)[account.leaf]
    weights = lost.get("weight", 0.0) + lost.get("activation", 0.0) - bounded
    attention = lost.get("attention", 0.0) if _is_one_hot(evidence, account) else 0.0
    other = _lost_in_scaling(evidence, account) if alone and stem in SCALINGS else 0.0
    worst = max(bounded, weights, attention, other)
    if alone and stem == "Glu":
        return "gate-closed"
    if worst <= 0:
        return "depth"
    if worst == bounded:
        return "gate-closed" if alone and evidence.graph.gates(culprit) else "saturating-activation"
    if worst == attention:
        return "softmax-saturation"
    if worst == other:
        return _scaling_cause(evidence, culprit)
    per_weight = account.by_kind.get("weight", 0.0) / max(account.count_by_kind.get("weight", 1), 1)
    return "small-init" if per_weight < evidence.thresholds.small_gain else "depth"


def _lost_in_scaling(evidence: Evidence, account: Account) -> float:
    """Decades that constant factors took from this layer alone."""
    own = (f for f in evidence.paths.factors(account) if f[0] not in evidence.shared)
    return -sum(decades for op, decades in own if evidence.graph.stem(op) in SCALINGS)


def _is_one_hot(evidence: Evidence, account: Account) -> bool:
    """Whether a softmax on the path is saturated: one that is near uniform also passes little, but recovers."""
    lenses = (evidence.graph.lenses.get(i) for i in evidence.paths.climb(account.leaf))
    share = evidence.thresholds.one_hot_share
    return any(lens.kind == "softmax" and (lens.saturated or 0.0) > share for lens in lenses if lens is not None)


def _scaling_cause(evidence: Evidence, culprit: int) -> str:
    gated = any(_leads_to_sigmoid(evidence, edge.to) for edge in evidence.graph.op(culprit).edges)
    return "gate-closed" if evidence.graph.stem(culprit) in PRODUCTS and gated else "residual-scale"


_PASSED_BY_A_GATE = VIEW_LIKE | SPLITS | {"Sub", "Rsub"}
"""What may lie between a sigmoid and the product that it gates, as in 1 - sigmoid(x)."""
_GATE_REACH = 4


def _leads_to_sigmoid(evidence: Evidence, index: int) -> bool:
    for _ in range(_GATE_REACH):
        op = evidence.graph.op(index)
        if op.stem in SIGMOIDS:
            return True
        if not op.edges or op.stem not in _PASSED_BY_A_GATE:
            return False
        index = op.edges[0].to
    return False


def _first_blamed(evidence: Evidence, account: Account, cause: str, culprit: int) -> int:
    """The op to show: the worst factor of the kind that is blamed, nearest to the input where many tie."""
    factors = evidence.paths.factors(account)
    if cause == "saturating-activation":
        return min((f for f in factors if evidence.graph.stem(f[0]) in BOUNDED), key=lambda f: f[1])[0]
    if cause in ("depth", "small-init"):
        owned = (f for f in factors if evidence.graph.weighted[f[0]])
        return min(owned, key=lambda f: f[1], default=(culprit, 0.0))[0]
    return culprit


def _told_cause(evidence: Evidence, account: Account, cause: str, culprit: int, its: str) -> str:
    """The cause in half a sentence, with the number that belongs to it."""
    if cause == "saturating-activation":
        lost = -evidence.paths.lost_in(BOUNDED)[account.leaf]
        return f"{its} gradient gets {times(lost)} smaller in {slopes(evidence, account, BOUNDED)}"
    if cause == "small-init":
        each = times(-account.by_kind["weight"] / account.count_by_kind["weight"])
        many = weights(evidence, account)
        return f"weights are too small: {its} gradient gets {each} smaller on average at each of {many}"
    maker, taken = evidence.graph.maker_of(culprit), dict(evidence.paths.factors(account))
    if cause == "gate-closed":
        return f"the gate at {maker} is closed and lets {number(10 ** taken[culprit], 1)} of {its} gradient through"
    if cause == "residual-scale":
        return f"{maker} scales {its} branch by about {number(10 ** taken[culprit], 2)}"
    where, lost = largest_loss(evidence, account)
    return f"{its} gradient gets {times(lost)} smaller {where}"


def _log10(value: float | None) -> float:
    return math.log10(value) if value else -math.inf
