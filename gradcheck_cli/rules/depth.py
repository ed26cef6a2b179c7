"""GC201: layers whose gradient was lost on the way down."""

from __future__ import annotations

import math

from gradcheck_cli.records.account import Account
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.accounts import (
    BOUNDED,
    INSENSITIVE,
    SLOWER,
    SMALL_GAIN,
    cancels,
    factors,
    gate_learns,
    position,
    weights_above,
)
from gradcheck_cli.rules.evidence import VIEW_LIKE, Evidence, Findings
from gradcheck_cli.rules.tally import largest_loss, slopes, tally, weights
from gradcheck_cli.rules.wording import named, number, times, verb
from gradcheck_cli.rules.zeros import saturated_ops


def vanishing_depth(evidence: Evidence) -> Findings:
    """Layers learn more than ten thousand times slower than the model's typical layer.

    Judged by the relative gradient |g| / |w| of a layer against the other layers of the same model, and
    only where the loss hardly depends on the layer (elasticity below 1e-5). The ledger says where the
    decades were lost: activation slopes, weights, a closed gate, the scale of a branch.
    """
    typical = evidence.typical_relative_gradient
    # A gradient that a custom Function's own backward made has no account to blame an op by.
    accounted = [m for m in evidence.trainable if evidence.strongest(m) is not None]
    slow = [m for m in accounted if typical and _is_slow(evidence, m, typical)]
    exact = {m: op for op, modules in saturated_ops(evidence).items() for m in modules}
    layers = [m for m in evidence.layers if m in slow or m in exact]
    if not layers:
        return
    if exact:
        yield _saturated(evidence, layers, exact)
        return
    assert typical is not None
    worst = min(slow, key=lambda m: evidence.layers[m].relative_gradient or math.inf)
    account = evidence.strongest(worst)
    assert account is not None
    own = [f for f in factors(evidence, account) if f[0] not in evidence.shared]
    culprit, decades = min(own or factors(evidence, account), key=lambda f: f[1])
    if gate_learns(evidence, culprit, decades, typical):
        return
    cause = _depth_cause(evidence, account, culprit, decades)
    if cause not in _BLOCKS_A_BRANCH and _is_branch(evidence, worst, slow):
        return
    blamed = _first_blamed(evidence, account, cause, culprit)
    behind = -_log10(typical) + _log10(evidence.layers[worst].relative_gradient)
    names = tuple(evidence.path_of(m) for m in layers)
    yield Finding(
        code="GC201",
        rule="vanishing-depth",
        family=Family.VANISHING,
        severity=Severity.ERROR,
        layers=names,
        cause=cause,
        message=f"{named(names)} {verb(names, 'learns', 'learn')} up to {times(-behind)} slower than the typical "
        "layer: " + _told_cause(evidence, account, cause, culprit, verb(names, "its", "their")),
        why=tally(evidence, account, evidence.path_of(worst)),
        op=evidence.op(blamed).name,
        source=evidence.source_of(blamed),
        evidence={
            "decades": account.decades,
            "decades_behind_typical": behind,
            **{f"decades_{kind}": value for kind, value in account.by_kind.items()},
        },
    )


def _is_slow(evidence: Evidence, module: int, typical: float) -> bool:
    layer = evidence.layers[module]
    return (
        layer.relative_gradient is not None
        and layer.elasticity is not None
        and layer.relative_gradient < typical * 10**-evidence.thresholds.slower_decades
        and layer.elasticity < INSENSITIVE
        and not cancels(evidence, module)
    )


_BLOCKS_A_BRANCH = frozenset(("saturating-activation", "residual-scale", "gate-closed"))
"""What makes a side branch ill while the trunk is well. Query and key layers, whose scores start near
uniform, also learn slowly at first, by weights alone, and catch up as the scores grow."""


def _is_branch(evidence: Evidence, module: int, slow: list[int]) -> bool:
    """Whether a healthy layer stands before this one in the forward pass: then the trunk is intact."""
    healthy = [position(evidence, m) for m in evidence.trainable if m not in slow]
    return min(healthy, default=math.inf) < position(evidence, module)


def _saturated(evidence: Evidence, layers: list[int], exact: dict[int, int]) -> Finding:
    op = min(exact.values())
    attention = evidence.op(op).name.startswith("Softmax")
    names = tuple(evidence.path_of(m) for m in layers)
    left = "a gradient of exactly 0" if set(layers) <= set(exact) else "next to no gradient"
    return Finding(
        code="GC201",
        rule="vanishing-depth",
        family=Family.VANISHING,
        severity=Severity.ERROR,
        layers=names,
        cause="softmax-saturation" if attention else _saturated_cause(evidence, op),
        message=f"{named(names)} {verb(names, 'gets', 'get')} {left}: "
        f"{evidence.maker_of(op)} is saturated for every input",
        why=f"a gradient of norm {number(evidence.op(op).total, 2)} arrives at {evidence.maker_of(op)}, whose slope "
        "is 0 in this precision",
        op=evidence.op(op).name,
        source=evidence.source_of(op),
        evidence={"layers": len(names)},
    )


def _saturated_cause(evidence: Evidence, op: int) -> str:
    if evidence.op(op).name.startswith("LogSoftmax"):
        return "saturated-loss"
    if evidence.gates(op):
        return "gate-closed"
    above = weights_above(evidence, op)
    return "saturating-activation" if above else "saturated-output"


def _depth_cause(evidence: Evidence, account: Account, culprit: int, decades: float) -> str:
    lost = {kind: -value for kind, value in account.by_kind.items()}
    bounded = sum(-d for op, d in factors(evidence, account) if evidence.op(op).name.startswith(BOUNDED))
    weights = lost.get("weight", 0.0) + lost.get("activation", 0.0) - bounded
    attention = lost.get("attention", 0.0) if _is_one_hot(evidence, account) else 0.0
    scaled = decades < -SLOWER / 2 and evidence.op(culprit).name.startswith(_SCALINGS)
    other = _lost_in_scaling(evidence, account) if scaled else 0.0
    worst = max(bounded, weights, attention, other)
    if evidence.op(culprit).name.startswith("Glu") and decades < -SLOWER / 2:
        return "gate-closed"
    if worst <= 0:
        return "depth"
    if worst == bounded:
        return "gate-closed" if decades < -SLOWER / 2 and evidence.gates(culprit) else "saturating-activation"
    if worst == attention:
        return "softmax-saturation"
    if worst == other:
        return _scaling_cause(evidence, culprit)
    per_weight = account.by_kind.get("weight", 0.0) / max(account.count_by_kind.get("weight", 1), 1)
    return "small-init" if per_weight < SMALL_GAIN else "depth"


def _lost_in_scaling(evidence: Evidence, account: Account) -> float:
    """Decades that constant factors took from this layer alone."""
    own = [f for f in factors(evidence, account) if f[0] not in evidence.shared]
    return -sum(decades for op, decades in own if evidence.op(op).name.startswith(_SCALINGS))


_SCALINGS = ("Mul", "Div", "Add", "Sub", "Addcmul", "Addcdiv")
"""Ops that can hold a constant factor; additions have an `alpha`."""


def _is_one_hot(evidence: Evidence, account: Account) -> bool:
    """Whether a softmax on the path is saturated: one that is near uniform also passes little, but recovers."""
    found = [evidence.lenses[i] for i in evidence.climb(account.leaf) if i in evidence.lenses]
    return any(lens.kind == "softmax" and (lens.saturated or 0.0) > 0.5 for lens in found)


def _scaling_cause(evidence: Evidence, culprit: int) -> str:
    op = evidence.op(culprit)
    gated = any(_leads_to_sigmoid(evidence, edge.to) for edge in op.edges)
    return "gate-closed" if op.name.startswith("Mul") and gated else "residual-scale"


def _leads_to_sigmoid(evidence: Evidence, index: int) -> bool:
    for _ in range(4):
        op = evidence.op(index)
        if op.name.startswith(("Sigmoid", "Hardsigmoid")):
            return True
        if not op.edges or not op.name.startswith((*VIEW_LIKE, "Rsub", "Sub", "Split", "UnsafeSplit")):
            return False
        index = op.edges[0].to
    return False


def _first_blamed(evidence: Evidence, account: Account, cause: str, culprit: int) -> int:
    """The op to show: the worst factor of the kind that is blamed, nearest to the input where many tie."""
    if cause == "saturating-activation":
        found = [f for f in factors(evidence, account) if evidence.op(f[0]).name.startswith(BOUNDED)]
        return min(found, key=lambda f: f[1])[0]
    if cause in ("depth", "small-init"):
        owned = [f for f in factors(evidence, account) if any(True for _ in evidence.parameters_under(f[0]))]
        return min(owned, key=lambda f: f[1], default=(culprit, 0.0))[0]
    return culprit


def _told_cause(evidence: Evidence, account: Account, cause: str, culprit: int, its: str) -> str:
    """The cause in half a sentence, with the number that belongs to it."""
    taken = dict(factors(evidence, account))
    if cause == "saturating-activation":
        lost = -sum(decades for op, decades in taken.items() if evidence.op(op).name.startswith(BOUNDED))
        return f"{its} gradient gets {times(lost)} smaller in {slopes(evidence, account, BOUNDED)}"
    if cause == "small-init":
        each = times(-account.by_kind["weight"] / account.count_by_kind["weight"])
        return f"weights are too small: {its} gradient gets {each} smaller on average at each of " + weights(
            evidence, account
        )
    if cause == "gate-closed":
        passed = number(10 ** taken[culprit], 1)
        return f"the gate at {evidence.maker_of(culprit)} is closed and lets {passed} of {its} gradient through"
    if cause == "residual-scale":
        factor = number(10 ** taken[culprit], 2)
        return f"{evidence.maker_of(culprit)} scales {its} branch by about {factor}"
    where, lost = largest_loss(evidence, account)
    return f"{its} gradient gets {times(lost)} smaller {where}"


def _log10(value: float | None) -> float:
    return math.log10(value) if value else -math.inf
