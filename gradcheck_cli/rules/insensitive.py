"""GC203: a loss that hardly depends on the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gradcheck_cli.records.choices import About
from gradcheck_cli.records.ops import BOUNDED
from gradcheck_cli.records.report import Share
from gradcheck_cli.rules.accountwords import account_in_words
from gradcheck_cli.rules.attribution import UNKNOWN, blamed, taken_in_words
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.saturated import saturated_cause
from gradcheck_cli.rules.shares import shares_of
from gradcheck_cli.words import named, number, percent, times, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


class _Cause(NamedTuple):
    """A cause with its evidence in words and numbers, and the op to blame, if one is."""

    cause: str
    why: str
    numbers: Mapping[str, float | int | str]
    op: int | None = None
    shares: tuple[Share, ...] = ()


def insensitive(evidence: Evidence) -> Diagnoses:
    """The loss hardly depends on most layers: a hundredth of their weights moves it by less than 1e-7.

    Saturated outputs, weights so small that the signal dies on its way forward, inputs near zero. A model
    that has converged looks alike, so a finding is made only where the evidence names the cause, or where the loss is
    that of one answer for every sample and no weight moves it.
    """
    if evidence.has_learned:
        return
    if _gives_one_answer(evidence):
        yield from _one_answer(evidence)
        return
    layers = _deaf_layers(evidence)
    most = len(layers) >= len(evidence.trainable) / 2
    first = _deaf_to_input(evidence)
    if first is None and not (layers and most):
        return
    limit = evidence.thresholds.insensitive_elasticity
    if not layers and first is not None:
        layers, limit = [first], _faint(evidence)
    found = _cause_of(evidence, layers)
    if found is None:
        return
    names = tuple(evidence.graph.path_of(m) for m in layers)
    yield Diagnosis(
        layers=names,
        cause=found.cause,
        message=f"the loss hardly depends on {named(names)}: if {verb(names, 'its', 'their')} weights change by 1 %, "
        f"the loss changes by less than {number(0.01 * limit, 1)} of its value",
        why=found.why,
        op=found.op,
        source=None if found.op is not None else evidence.layers[layers[0]].source,
        numbers=found.numbers,
        shares=found.shares,
        doubt=About.WHOLE if found.cause == "residual-scale" else None,
    )


def _gives_one_answer(evidence: Evidence) -> bool:
    """Whether the loss is that of one answer for every sample, and no weight that is trained moves it.

    Where a gate that opens, or a small one that learns, holds the gradient back, the answer will differ soon.
    """
    limits, over = evidence.thresholds, evidence.over_one_answer
    if (
        over is None
        or abs(over - 1) > limits.null_share
        or not 0 < evidence.largest_elasticity < limits.null_elasticity
    ):
        return False
    return not evidence.opens and bool(_deaf_layers(evidence, limits.null_elasticity))


def _one_answer(evidence: Evidence) -> Diagnoses:
    layers = _deaf_layers(evidence, evidence.thresholds.null_elasticity)
    found = _cause_of(evidence, layers) or _far_targets(evidence)
    if found is None and evidence.collapsing:
        return  # where samples become one is told by depth
    found = found or _unexplained(evidence, layers)
    loss, mean, largest = evidence.measurement.loss, evidence.enquiry.mean, evidence.largest_elasticity
    near = largest > evidence.thresholds.null_elasticity / 10 or _head_opens(evidence)
    yield Diagnosis(
        layers=tuple(evidence.graph.path_of(m) for m in layers),
        cause=found.cause,
        message=f"every sample gets the same answer: the loss is {number(loss, 4)}, one answer for all costs "
        f"{number(mean or 0.0, 4)}, and if the weights of a layer change by 1 %, the loss changes by "
        f"{number(largest / 100, 1)} of its value at most",
        why=found.why,
        op=found.op,
        source=None if found.op is not None else evidence.layers[layers[0]].source,
        numbers={"loss": loss, "loss_of_one_answer": mean or 0.0, "largest_elasticity": largest, **found.numbers},
        doubt=About.WHOLE if near else None,
    )


def _head_opens(evidence: Evidence) -> bool:
    """Whether the layer that predicts is only small: at the size that layers start with, it would move the loss.

    A head that starts at next to 0 is by design, as one at 0 is; a signal that has died does not reach it.
    """
    heads = {evidence.graph.op(head.op).module for head in evidence.measurement.heads}
    matrices = (p for module in heads for p in evidence.graph.parameters_of(module) if len(p.shape) >= 2)
    usual = (p.grad_norm * math.sqrt(p.shape[0]) for p in matrices if p.grad_norm)
    return max(usual, default=0.0) > evidence.thresholds.usual_least * abs(evidence.measurement.loss)


def _far_targets(evidence: Evidence) -> _Cause | None:
    """Targets so large that what the model puts out is nothing beside them."""
    compared = evidence.references.compared
    if compared is None or compared[1] * evidence.thresholds.null_elasticity < compared[0]:
        return None
    why = f"the output's RMS is {number(compared[0], 2)}, and that of the targets {number(compared[1], 2)}"
    return _Cause("target-scale", why, {"output_rms": compared[0], "target_rms": compared[1]})


def _unexplained(evidence: Evidence, layers: Sequence[int]) -> _Cause:
    slowest = min(layers, key=lambda m: evidence.layers[m].elasticity or 0.0)
    account = evidence.paths.strongest(slowest)
    why = account_in_words(evidence, account, evidence.graph.path_of(slowest)) if account is not None else ""
    return _Cause("unknown", why, {})


def _deaf_layers(evidence: Evidence, limit: float | None = None) -> list[int]:
    """The layers that hardly move the loss and do not wait for a gate that learns, such as a layer scale."""
    behind, limit = evidence.behind_gates, limit or evidence.thresholds.insensitive_elasticity
    accounts = {m: evidence.paths.strongest(m) for m in evidence.trainable}
    return [
        m
        for m, account in accounts.items()
        if (evidence.layers[m].elasticity or 0.0) < limit and not (account is not None and account.leaf in behind)
    ]


def _deaf_to_input(evidence: Evidence) -> int | None:
    """The first layer, where the inputs are so faint that its weight, unlike its bias, moves nothing."""
    scale = evidence.references.input_rms
    if scale is None or not 0 < scale < evidence.thresholds.faint_input or not evidence.trainable:
        return None
    first = min(evidence.trainable, key=evidence.paths.position)
    least = _faint(evidence) * abs(evidence.measurement.loss)
    matrices = [p for p in evidence.graph.parameters_of(first) if len(p.shape) >= 2 and p.grad_norm is not None]
    faint = all((p.grad_norm or 0.0) * p.weight_norm < least for p in matrices)
    return first if matrices and faint else None


def _faint(evidence: Evidence) -> float:
    """Elasticity of the weight of a first layer that reads faint inputs, whose bias may still be heard."""
    return evidence.thresholds.faint_margin * evidence.thresholds.insensitive_elasticity


# ---------------------------------------------------------------- causes


def _cause_of(evidence: Evidence, layers: Sequence[int]) -> _Cause | None:
    scales = [layer.activation_rms for layer in evidence.layers.values() if layer.activation_rms]
    return (
        _faint_input(evidence)
        or _saturated_output(evidence)
        or _signal_dies(evidence, scales)
        or _lost_on_the_way(evidence, layers)
        or (None if scales else _lost_in_weights(evidence, layers))
    )


def _faint_input(evidence: Evidence) -> _Cause | None:
    scale = evidence.references.input_rms
    if scale is None or scale >= evidence.thresholds.faint_input:
        return None
    why = f"the inputs are too small: their RMS is {number(scale, 2)}, and layers are initialised for about 1"
    return _Cause("input-scale", why, {"input_rms": scale})


def _saturated_output(evidence: Evidence) -> _Cause | None:
    for lens in evidence.measurement.lenses:
        share = lens.saturated or 0.0
        if share > evidence.thresholds.saturated_output_share and evidence.graph.stem(lens.op) in BOUNDED:
            why = (
                f"{evidence.graph.maker_of(lens.op)} is saturated: at {percent(share)} of its elements the slope is "
                "below a hundredth of its largest"
            )
            return _Cause(saturated_cause(evidence, lens.op), why, {"saturated_share": share}, lens.op)
    return None


def _signal_dies(evidence: Evidence, scales: Sequence[float]) -> _Cause | None:
    """Weights so small that what the layers put out is all but gone at the output."""
    start = max(scales[0], evidence.references.input_rms or 0.0) if scales else 0.0
    if len(scales) < 2 or scales[-1] >= evidence.thresholds.shrunk_signal * start:
        return None
    fallen = math.log10(scales[-1] / max(scales))
    why = (
        f"the weights are too small: what the layers put out gets {times(-fallen)} smaller on the way to the "
        f"output, from an RMS of {number(max(scales), 2)} to {number(scales[-1], 2)}"
    )
    return _Cause("small-init", why, {"activation_decades": fallen})


def _lost_on_the_way(evidence: Evidence, layers: Sequence[int]) -> _Cause | None:
    """What took most of the gradient of the layer that lost most, other than weights, which are looked at last."""
    accounts = {m: account for m in layers if (account := evidence.paths.strongest(m)) is not None}
    worst = min(accounts, key=lambda m: accounts[m].decades, default=None)
    if worst is None:
        return None
    groups = evidence.groups_lost(accounts[worst])
    blame = blamed(evidence, groups)
    if blame.cause in (UNKNOWN, "depth", "small-init") or blame.decades > -evidence.thresholds.lost_in_slopes:
        return None
    taken = taken_in_words(evidence, groups, blame)
    why = f"the gradient of `{evidence.graph.path_of(worst)}` gets {times(-blame.decades)} smaller in {taken}"
    numbers = {f"decades_{kind}": value for kind, value in accounts[worst].by_kind.items()}
    return _Cause(blame.cause, why, numbers, blame.factors[0][0], shares_of(evidence, groups))


def _lost_in_weights(evidence: Evidence, layers: Sequence[int]) -> _Cause | None:
    """Weights so small that each takes most of the gradient, where the activations were not seen."""
    for module in layers:
        owned = evidence.graph.owned[module]
        accounts = [evidence.paths.accounts[i] for i in owned if i in evidence.paths.accounts]
        account = max(accounts, key=lambda a: a.count_by_kind.get("weight", 0), default=None)
        count = account.count_by_kind.get("weight", 0) if account is not None else 0
        if account is None or count < 2:
            continue
        each = account.by_kind["weight"] / count
        if each < evidence.thresholds.small_gain:
            why = (
                f"the weights are too small: each of {count} makes the gradient {times(-each)} smaller, where "
                "PyTorch's own initialisation makes it about 1.7 times smaller"
            )
            return _Cause("small-init", why, {"decades_weight": account.by_kind["weight"]})
    return None
