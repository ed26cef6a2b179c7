"""GC2xx: gradients that arrive too small for a layer to learn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

from gradcheck_cli.records import Account, Family, Finding, Op, Series, Severity
from gradcheck_cli.rules.evidence import VIEW_LIKE, Evidence, Findings
from gradcheck_cli.rules.nogradient import _names, saturated_ops

SLOWER = 4.0
"""Decades that a layer's relative gradient may lie below the model's typical layer: it would train ten
thousand times slower (THEORY.md, section 4)."""
INSENSITIVE = 1e-5
"""Elasticity below which a layer hardly moves the loss: 1 % of its weights moves it by a ten-millionth."""
GATED_FORGOTTEN = 30.0
"""The same for cells with open gates, which learn to keep more: at its default initialisation an LSTM or a
GRU loses 0.2 decades a step and trains well on some hundred steps."""
FORGOTTEN = 10.0
"""Decades lost over a sequence. float32 resolves 7.2 decades, so what is this much smaller than the
gradient of the last steps leaves no trace in the sum."""
_BOUNDED = ("Sigmoid", "Tanh", "Hardsigmoid", "Hardtanh", "LogSigmoid", "Softsign", "Clamp")
_SMALL_GAIN = -0.6
"""Decades per weight below which the weights are too small, rather than too many. PyTorch's default for
linear and convolution layers keeps 1/3 of the variance: -0.24 before the activation."""


def vanishing_depth(evidence: Evidence) -> Findings:
    """Layers learn more than ten thousand times slower than the model's typical layer.

    Judged by the relative gradient |g| / |w| of a layer against the other layers of the same model, and
    only where the loss hardly depends on the layer (elasticity below 1e-5). The ledger says where the
    decades were lost: activation slopes, weights, a closed gate, the scale of a branch.
    """
    typical = evidence.typical_relative_gradient
    slow = [m for m in evidence.trainable if typical and _is_slow(evidence, m, typical)]
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
    culprit, decades = min(factors(evidence, account), key=lambda f: f[1])
    if _gate_learns(evidence, culprit, decades, typical):
        return
    cause = _depth_cause(evidence, account, culprit, decades)
    if cause not in _BLOCKS_A_BRANCH and _is_branch(evidence, worst, slow):
        return
    blamed = _first_blamed(evidence, account, cause, culprit)
    behind = -_log(typical) + _log(evidence.layers[worst].relative_gradient)
    names = tuple(evidence.path_of(m) for m in layers)
    yield Finding(
        code="GC201",
        rule="vanishing-depth",
        family=Family.VANISHING,
        severity=Severity.ERROR,
        layers=names,
        cause=cause,
        message=f"{_names(names)} learn up to 10^{-behind:.1f} times slower than the typical layer",
        why=_sentence(evidence, account),
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
        and layer.relative_gradient < typical * 10**-SLOWER
        and layer.elasticity < INSENSITIVE
        and not cancels(evidence, module)
    )


def cancels(evidence: Evidence, module: int) -> bool:
    """Whether a layer's gradient is small because large parts of it add up to nothing."""
    account = evidence.strongest(module)
    return account is not None and account.by_kind.get("merge", 0.0) < -SLOWER


def cancelled(evidence: Evidence) -> Findings:
    """Large parts of a gradient add up to nothing, because the loss does not depend on the parameter.

    A bias before a normalisation, the key bias under a softmax, a weight whose scale is divided out
    again: the gradient is small by algebra and what is left of it is rounding.
    """
    layers = [m for m in evidence.trainable if cancels(evidence, m)]
    biases = [m for m in evidence.trainable if m not in layers and _has_idle_bias(evidence, m)]
    for found, what in ((layers, "the parts of its gradient cancel"), (biases, "its bias does not move the loss")):
        if found:
            names = tuple(evidence.path_of(m) for m in found)
            yield Finding(
                code="GC211",
                rule="cancelled",
                family=Family.VANISHING,
                severity=Severity.NOTE,
                layers=names,
                cause="cancelled",
                message=f"{_names(names)}: {what}",
                evidence={"layers": len(names)},
            )


def _has_idle_bias(evidence: Evidence, module: int) -> bool:
    parameters = [p for p in evidence.parameters_of(module) if p.grad_norm is not None]
    largest = max((p.grad_norm or 0.0 for p in parameters if len(p.shape) >= 2), default=0.0)
    return any(len(p.shape) == 1 and (p.grad_norm or 0.0) < largest * 10**-SLOWER for p in parameters)


_BLOCKS_A_BRANCH = frozenset(("saturating-activation", "residual-scale", "gate-closed"))
"""What makes a side branch ill while the trunk is well. Query and key layers, whose scores start near
uniform, also learn slowly at first, by weights alone, and catch up as the scores grow."""


def _is_branch(evidence: Evidence, module: int, slow: list[int]) -> bool:
    """Whether a healthy layer stands before this one in the forward pass: then the trunk is intact."""
    healthy = [position(evidence, m) for m in evidence.trainable if m not in slow]
    return min(healthy, default=math.inf) < position(evidence, module)


def position(evidence: Evidence, module: int) -> float:
    """When in the forward pass a layer's parameters were used first."""
    account = evidence.strongest(module)
    used = [evidence.op(i).sequence for i in account.path if evidence.op(i).sequence >= 0] if account else []
    return min(used, default=math.inf)


def _saturated(evidence: Evidence, layers: list[int], exact: dict[int, int]) -> Finding:
    op = min(exact.values())
    attention = evidence.op(op).name.startswith("Softmax")
    names = tuple(evidence.path_of(m) for m in layers)
    return Finding(
        code="GC201",
        rule="vanishing-depth",
        family=Family.VANISHING,
        severity=Severity.ERROR,
        layers=names,
        cause="softmax-saturation" if attention else _saturated_cause(evidence, op),
        message=f"{_names(names)} get a gradient of exactly 0: {evidence.op(op).name} is saturated for every input",
        why=f"a gradient of norm {evidence.op(op).total:.2g} arrives there and its slope is 0 in this precision",
        op=evidence.op(op).name,
        source=evidence.source_of(op),
        evidence={"layers": len(names)},
    )


def _saturated_cause(evidence: Evidence, op: int) -> str:
    if evidence.op(op).name.startswith("LogSoftmax"):
        return "saturated-loss"
    above = _weights_above(evidence, op)
    return "saturating-activation" if above else "saturated-output"


def _weights_above(evidence: Evidence, op: int) -> int:
    """How many weights stand between an op and the loss, along the strongest path."""
    count = 0
    while (op := evidence.ledger.parent[op]) >= 0:
        count += any(True for _ in evidence.parameters_under(op))
    return count


def factors(evidence: Evidence, account: Account) -> Iterator[tuple[int, float]]:
    """The op factors of an account in decades, by the index of the op."""
    for op, child in zip(account.path, account.path[1:], strict=False):
        sent = max((e.norm for e in evidence.op(op).edges if e.to == child), default=0.0)
        if sent > 0 and evidence.op(op).total > 0:
            yield op, math.log10(sent / evidence.op(op).total)


def _gate_learns(evidence: Evidence, op: int, decades: float, typical: float) -> bool:
    """Whether a small parameter that itself learns at speed holds the gradient back, as a layer scale does."""
    if decades > -SLOWER / 2:
        return False
    for index in evidence.parameters_under(op):
        parameter = evidence.measurement.parameters[index]
        if parameter.grad_norm and parameter.weight_norm and parameter.grad_norm / parameter.weight_norm > typical:
            return True
    return False


def _depth_cause(evidence: Evidence, account: Account, culprit: int, decades: float) -> str:
    lost = {kind: -value for kind, value in account.by_kind.items()}
    bounded = sum(-d for op, d in factors(evidence, account) if evidence.op(op).name.startswith(_BOUNDED))
    weights = lost.get("weight", 0.0) + lost.get("activation", 0.0) - bounded
    attention = lost.get("attention", 0.0) if _is_one_hot(evidence, account) else 0.0
    scaled = decades < -SLOWER / 2 and evidence.op(culprit).name.startswith(_SCALINGS)
    other = lost.get("other", 0.0) if scaled else 0.0
    worst = max(bounded, weights, attention, other)
    if evidence.op(culprit).name.startswith("Glu") and decades < -SLOWER / 2:
        return "gate-closed"
    if worst <= 0:
        return "depth"
    if worst == bounded:
        return "saturating-activation"
    if worst == attention:
        return "softmax-saturation"
    if worst == other:
        return _scaling_cause(evidence, culprit)
    per_weight = account.by_kind.get("weight", 0.0) / max(account.count_by_kind.get("weight", 1), 1)
    return "small-init" if per_weight < _SMALL_GAIN else "depth"


_SCALINGS = ("Mul", "Div", "Add", "Sub", "Addcmul", "Addcdiv")
"""Ops that can hold a constant factor; additions have an `alpha`."""


def _is_one_hot(evidence: Evidence, account: Account) -> bool:
    """Whether a softmax on the path is saturated: one that is near uniform also passes little, but recovers."""
    found = [evidence.lenses[i] for i in account.path if i in evidence.lenses]
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
        found = [f for f in factors(evidence, account) if evidence.op(f[0]).name.startswith(_BOUNDED)]
        return min(found, key=lambda f: f[1])[0]
    return culprit


def _sentence(evidence: Evidence, account: Account) -> str:
    losses = sorted(account.by_kind.items(), key=lambda item: item[1])
    parts = [_part(evidence, account, kind, value) for kind, value in losses if value < -0.15]
    return f"{-account.decades:.1f} decades are lost on the way down: {', '.join(parts)}"


def _part(evidence: Evidence, account: Account, kind: str, value: float) -> str:
    count = account.count_by_kind[kind]
    if kind != "activation":
        return f"{-value:.1f} in {_KIND_WORDS.get(kind, kind)}"
    ops = [evidence.op(i) for i in account.path]
    name = next((o.name.partition("Backward")[0].lower() for o in ops if _is_activation(o)), kind)
    slopes = [s for i in account.path if (lens := evidence.lenses.get(i)) and (s := lens.slope) is not None]
    mean = f" (mean slope {fmean(slopes):.3f})" if slopes else ""
    return f"{-value:.1f} in {count} {name} slopes{mean}"


_KIND_WORDS = {"weight": "weights", "loss": "the loss", "merge": "branches that cancel", "other": "other factors"}


def _is_activation(op: Op) -> bool:
    return op.name.startswith((*_BOUNDED, "Relu", "Gelu", "Silu", "Elu", "LeakyRelu", "Softplus", "Mish"))


def _log(value: float | None) -> float:
    return math.log10(value) if value else -math.inf


# --------------------------------------------------------------------------- through time


def vanishing_time(evidence: Evidence) -> Findings:
    """A recurrent weight's gradient does not reach back through its sequence.

    The gradient that the weight gets is a sum over the steps and can look perfectly healthy while the
    terms from far back are gone. Judged by what each step receives from later steps, so a loss at every
    step, padding and truncation do not hide or fake it. Ill where the first step's share is more than
    ten decades below the last's, which float32 cannot see in the sum.
    """
    for series in evidence.ledger.series:
        lost = -_total_decades(series)
        gated = _is_gated(evidence, series)
        closed = gated and _gate_is_closed(evidence, series)
        if lost < (GATED_FORGOTTEN if gated and not closed else FORGOTTEN):
            continue
        parameter = evidence.measurement.parameters[series.parameter]
        layer = evidence.path_of(parameter.module)
        op = next(i for i in evidence.senders.get(parameter.op or 0, ()))
        yield Finding(
            code="GC202",
            rule="vanishing-time",
            family=Family.VANISHING,
            severity=Severity.ERROR,
            layers=(layer,),
            cause="gate-closed" if closed else "bptt-decay",
            message=f"{layer} forgets: steps older than {series.horizon} of {series.steps} contribute under 1 %",
            why=f"the gradient shrinks by {-series.attenuation:.2f} decades a step, {lost:.1f} decades over the sequence",
            op=evidence.op(op).name,
            source=evidence.source_of(op),
            evidence={
                "horizon": series.horizon,
                "steps": series.steps,
                "decades_per_step": series.attenuation,
                "decades_lost": lost,
            },
        )


def _total_decades(series: Series) -> float:
    run = [c for c in series.carry if c > 0]
    return series.attenuation * len(run)


def _is_gated(evidence: Evidence, series: Series) -> bool:
    """Whether the steps hold at least two sigmoid gates, which can learn to stay open."""
    return len(_gates(evidence, series)) >= 1.5 * series.steps


def _gates(evidence: Evidence, series: Series) -> list[int]:
    module = evidence.measurement.parameters[series.parameter].module
    root = evidence.measurement.modules[module].path
    return [
        i
        for i, op in enumerate(evidence.measurement.ops)
        if op.name.startswith("Sigmoid") and op.module >= 0 and _inside(evidence, op.module, root)
    ]


def _inside(evidence: Evidence, module: int, root: str) -> bool:
    """Whether a module is the cell that owns the weight, or the one that loops over it."""
    path = evidence.measurement.modules[module].path
    return path == root or path == root.rpartition(".")[0]


def _gate_is_closed(evidence: Evidence, series: Series) -> bool:
    lenses = [evidence.lenses[i] for i in _gates(evidence, series) if i in evidence.lenses]
    slopes = [lens.slope for lens in lenses if lens.slope is not None]
    return bool(slopes) and sum(s < 0.02 for s in slopes) >= 0.2 * len(slopes)


# --------------------------------------------------------------------------- insensitive losses


def insensitive(evidence: Evidence) -> Findings:
    """The loss hardly depends on most layers: a hundredth of their weights moves it by less than 1e-7.

    Saturated outputs, weights so small that the signal dies on its way forward, inputs near zero. A model
    that has converged looks alike, so a finding is made only where the evidence names the cause.
    """
    layers = [
        m
        for m in evidence.trainable
        if (evidence.layers[m].elasticity or 0.0) < INSENSITIVE and not _waits_for_gate(evidence, m)
    ]
    deaf = _deaf_to_input(evidence)
    if deaf is None and (not layers or len(layers) < len(evidence.trainable) / 2):
        return
    layers = layers or [deaf] if deaf is not None else layers
    found = _insensitive_cause(evidence, layers)
    if found is None:
        return
    cause, why, numbers, op = found
    names = tuple(evidence.path_of(m) for m in layers)
    yield Finding(
        code="GC203",
        rule="insensitive-loss",
        family=Family.VANISHING,
        severity=Severity.ERROR,
        layers=names,
        cause=cause,
        message=f"the loss hardly depends on {_names(names)}: 1 % of their weights moves it by less than 1e-7 of itself",
        why=why,
        op=evidence.op(op).name if op is not None else None,
        source=evidence.source_of(op) if op is not None else evidence.layers[layers[0]].source,
        evidence=numbers,
    )


def _waits_for_gate(evidence: Evidence, module: int) -> bool:
    """Whether a small factor that learns at speed, such as a layer scale, is what holds a layer back."""
    account, typical = evidence.strongest(module), evidence.typical_relative_gradient
    if account is None or typical is None:
        return False
    return any(_gate_learns(evidence, op, decades, typical) for op, decades in factors(evidence, account))


Cause = tuple[str, str, dict[str, float | int | str], int | None]


def _insensitive_cause(evidence: Evidence, layers: list[int]) -> Cause | None:
    inputs = _input_scale(evidence)
    if inputs is not None and inputs < _FAINT_INPUT:
        return "input-scale", f"the inputs' RMS is {inputs:.1e}, where layers expect about 1", {"input_rms": inputs}, None
    for lens in evidence.measurement.lenses:
        name = evidence.op(lens.op).name
        if (lens.saturated or 0) > 0.9 and name.startswith(_BOUNDED):
            cause = "saturating-activation" if _weights_above(evidence, lens.op) else "saturated-output"
            why = f"{lens.saturated:.0%} of what goes into {name} is where its slope is below a hundredth of its largest"
            return cause, why, {"saturated_share": lens.saturated or 0.0}, lens.op
    scales = [layer.activation_rms for layer in evidence.layers.values() if layer.activation_rms]
    if len(scales) >= 2 and scales[-1] < 1e-3 * max(scales[0], inputs or 0.0):
        fallen = math.log10(scales[-1] / max(scales))
        why = f"the activations shrink by {-fallen:.1f} decades on their way to the output"
        return "small-init", why, {"activation_decades": fallen}, None
    return _lost_in_slopes(evidence, layers) or (None if scales else _lost_in_weights(evidence, layers))


def _lost_in_weights(evidence: Evidence, layers: list[int]) -> Cause | None:
    """Weights so small that each takes most of the gradient, where the activations were not seen."""
    for module in layers:
        account = evidence.strongest(module)
        if account is not None and account.count_by_kind.get("weight", 0) > 1:
            each = account.by_kind["weight"] / account.count_by_kind["weight"]
            if each < _SMALL_GAIN:
                why = f"each of {account.count_by_kind['weight']} weights takes {-each:.1f} decades"
                return "small-init", why, {"decades_weight": account.by_kind["weight"]}, None
    return None


def _lost_in_slopes(evidence: Evidence, layers: list[int]) -> Cause | None:
    """Bounded activations took most of the gradient of the layer that suffers most from them."""
    worst: tuple[float, int] | None = None
    for module in layers:
        account = evidence.strongest(module)
        found = [f for f in factors(evidence, account) if evidence.op(f[0]).name.startswith(_BOUNDED)] if account else []
        total = sum(decades for _, decades in found)
        if found and (worst is None or total < worst[0]):
            worst = total, min(found, key=lambda f: f[1])[0]
    if worst is None or worst[0] > -3:
        return None
    lost, op = worst
    return "saturating-activation", f"the slopes of its activations take {-lost:.1f} decades", {"decades_activation": lost}, op


_FAINT_INPUT = 1e-3


def _input_scale(evidence: Evidence) -> float | None:
    floats = [s.rms for s in evidence.measurement.inputs if s.rms is not None and s.dtype.startswith(("float", "bfloat"))]
    return floats[0] if floats else None


def _deaf_to_input(evidence: Evidence) -> int | None:
    """The first layer, where the inputs are so faint that its weight, unlike its bias, moves nothing."""
    scale = _input_scale(evidence)
    if scale is None or not 0 < scale < _FAINT_INPUT or not evidence.trainable:
        return None
    first = min(evidence.trainable, key=lambda m: position(evidence, m))
    loss = abs(evidence.measurement.loss)
    matrices = [p for p in evidence.parameters_of(first) if len(p.shape) >= 2 and p.grad_norm is not None]
    faint = all((p.grad_norm or 0.0) * p.weight_norm < 10 * INSENSITIVE * loss for p in matrices)
    return first if matrices and faint else None


def softmax_saturated(evidence: Evidence) -> Findings:
    """A softmax inside the model is one-hot for nearly every row, so almost no gradient passes through it.

    Attention without the 1/sqrt(d) scale, or logits that grew: the scores' gradient is p (1 - p), which
    is zero at both ends.
    """
    for lens in evidence.measurement.lenses:
        op = evidence.op(lens.op)
        if lens.kind != "softmax" or (lens.saturated or 0) < 0.9 or not op.total or not op.edges or lens.length == 1:
            continue
        passed = op.edges[0].norm / op.total
        if passed < 1e-4:
            layers = (evidence.path_of(op.module),)
            yield Finding(
                code="GC204",
                rule="softmax-saturated",
                family=Family.VANISHING,
                severity=Severity.ERROR,
                layers=layers,
                cause="softmax-saturation",
                message=f"the softmax in {layers[0]} is one-hot for {lens.saturated:.0%} of its rows",
                why=f"it passes {passed:.1e} of the gradient on to its scores",
                op=op.name,
                source=evidence.source_of(lens.op),
                evidence={"saturated_share": lens.saturated or 0.0, "passed": passed},
            )
            return


def double_softmax(evidence: Evidence) -> Findings:
    """A softmax (or sigmoid) is applied to what the loss applies it to again.

    `cross_entropy` and `binary_cross_entropy_with_logits` take logits. Given probabilities, the loss
    cannot fall below ln(1 + (C - 1)/e) and its gradient is a fraction of what it should be.
    """
    for index, op in enumerate(evidence.measurement.ops):
        inner = {"LogSoftmax": "Softmax", "BinaryCrossEntropyWithLogits": "Sigmoid"}.get(op.name.partition("Backward")[0])
        if inner is None or not op.edges:
            continue
        child = op.edges[0].to
        while evidence.op(child).name.startswith(VIEW_LIKE) and evidence.op(child).edges:
            child = evidence.op(child).edges[0].to
        if evidence.op(child).name.startswith(inner):
            yield Finding(
                code="GC205",
                rule="double-softmax",
                family=Family.VANISHING,
                severity=Severity.ERROR,
                layers=(),
                cause="double-softmax",
                message=f"the loss applies {op.name.partition('Backward')[0]} to the output of a {inner.lower()}",
                why="the loss takes logits; given probabilities its gradient is squeezed twice",
                op=evidence.op(child).name,
                source=evidence.source_of(child),
                evidence={"passed": evidence.op(child).total},
            )
            return
