"""The table of rules: one row a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.judging import FindingNumber
from gradcheck_cli.rules import (
    blocked,
    cancelling,
    collapsed,
    copies,
    cuts,
    dead,
    depth,
    drift,
    dropout,
    dynamics,
    exploding,
    inputs,
    insensitive,
    losses,
    nonfinite,
    precision,
    readings,
    saturated,
    severed,
    softmaxes,
    terms,
    throughtime,
    unused,
    updates,
    views,
)
from gradcheck_cli.rules.rule import Diagnoses, Rule

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_EVERYTHING = ("GC",)
"""Where values are not finite, nothing else can be judged."""
_ALIKE = ("GC410", "GC415")
"""Where samples have become alike, or outgrown the biases, a unit is on for all of them or for none."""
_COLLAPSE = ("GC207", *_ALIKE)
"""The same loss of signal, seen on its way forward."""
_EXPLOSIONS = ("GC3", *_ALIKE)
"""A loss that exploded is what a weight that explodes looks like from above."""
_FORWARD_CAUSES = (
    "log-zero log-negative sqrt-zero exp-overflow zero-div-zero masked-softmax-row empty-reduction masked-loss "
    "acos-boundary pow-domain zero-variance zero-times-inf logsumexp-neginf ctc-infeasible degenerate-eigenvalues "
    "small-denominator large-init fp16-overflow nan-input inf-input inf-in-loss negative-determinant zero-norm "
    "nan-parameter unknown"
)
_BACKWARD_CAUSES = (
    "sqrt-zero where-trap zero-times-inf acos-boundary pow-domain zero-variance masked-softmax-row log-zero "
    "zero-div-zero exp-overflow logsumexp-neginf degenerate-eigenvalues ctc-infeasible custom-backward "
    "small-denominator masked-loss fp16-overflow log-negative large-init zero-norm unknown"
)
_MET_CAUSES = " ".join(dict.fromkeys(f"{_BACKWARD_CAUSES} {_FORWARD_CAUSES}".split()))
"""A gradient may also meet what the forward pass had made."""
_GROWTH_CAUSES = (
    "large-init input-scale residual-growth sum-aggregation small-denominator recurrent-gain norm-depth "
    "exp-overflow custom-backward unknown"
)
_LOSS_CAUSES = (
    "saturating-activation depth small-init residual-scale gate-closed softmax-saturation custom-backward bptt-decay "
    "exp-underflow norm-depth"
)
"""What can take most of a gradient on its way down."""


def _rule(
    code: str,
    name: str,
    severity: Severity,
    causes: str,
    check: Callable[[Evidence], Diagnoses],
    reading: Callable[[Evidence, Sequence[str]], FindingNumber | None] | None = None,
    *,
    triable: bool = False,
    silences: tuple[str, ...] = (),
) -> Rule:
    return Rule(
        code=code,
        name=name,
        severity=severity,
        causes=tuple(causes.split()),
        check=check,
        reading=reading,
        triable=triable,
        silences=silences,
    )


# In the order in which causes are looked for: what stands above explains away what stands below.
RULES: tuple[Rule, ...] = (
    _rule("GC101", "nonfinite-input", _ERROR, "nan-input inf-input", nonfinite.nonfinite_input, silences=_EVERYTHING),
    _rule(
        "GC102",
        "nonfinite-parameter",
        _ERROR,
        "nan-parameter inf-buffer",
        nonfinite.nonfinite_parameter,
        silences=_EVERYTHING,
    ),
    _rule("GC103", "nonfinite-forward", _ERROR, _FORWARD_CAUSES, nonfinite.nonfinite_forward, silences=_EVERYTHING),
    _rule("GC104", "nonfinite-backward", _ERROR, _MET_CAUSES, nonfinite.nonfinite_backward, silences=_EVERYTHING),
    _rule("GC105", "hidden-nonfinite", _WARNING, _FORWARD_CAUSES, nonfinite.hidden_nonfinite, silences=_EVERYTHING),
    _rule(
        "GC501",
        "gradient-underflow",
        _ERROR,
        "fp16-underflow",
        precision.underflow,
        readings.lost_to_rounding,
        triable=True,
        silences=("GC412",),
    ),
    _rule(
        "GC502",
        "gradient-near-overflow",
        _WARNING,
        "fp16-overflow",
        precision.near_overflow,
        readings.near_limit,
        triable=True,
    ),
    _rule(
        "GC407",
        "no-gradient",
        _ERROR,
        "graph-cut non-differentiable-op not-in-loss",
        cuts.no_gradient,
        silences=("GC401", "GC406", "GC409", "GC413"),
    ),
    _rule(
        "GC401",
        "graph-cut",
        _ERROR,
        "graph-cut non-differentiable-op",
        cuts.graph_cut,
        readings.without_gradient,
        triable=True,
    ),
    _rule("GC406", "custom-backward", _ERROR, "custom-backward", cuts.custom_backward, triable=True),
    _rule(
        "GC404",
        "single-element",
        _ERROR,
        "single-element-softmax single-element-norm",
        softmaxes.single_element,
        readings.without_gradient,
        triable=True,
    ),
    _rule(
        "GC408",
        "zero-product",
        _ERROR,
        "zero-product",
        blocked.zero_product,
        readings.without_gradient,
        triable=True,
    ),
    _rule(
        "GC402",
        "step-function",
        _ERROR,
        "non-differentiable-op",
        blocked.step_function,
        readings.without_gradient,
        triable=True,
    ),
    _rule(
        "GC403",
        "dead-activation",
        _ERROR,
        "dead-relu dead-surrogate saturated-output",
        dead.dead_activation,
        readings.without_gradient,
        triable=True,
    ),
    _rule(
        "GC405",
        "masked-loss",
        _ERROR,
        "masked-loss saturated-loss exp-underflow",
        blocked.masked_loss,
        readings.without_gradient,
        triable=True,
        silences=("GC412",),
    ),
    _rule("GC416", "clamped-loss", _ERROR, "saturated-loss", losses.clamped_loss, triable=True),
    _rule("GC208", "broadcast-loss", _ERROR, "broadcast", losses.broadcast_loss, triable=True),
    _rule(
        "GC209",
        "unreachable-targets",
        _ERROR,
        "saturated-output label-range",
        losses.unreachable_targets,
        readings.out_of_reach,
        triable=True,
    ),
    _rule("GC210", "missing-log", _ERROR, "missing-log unbounded-loss", losses.missing_log, triable=True),
    _rule(
        "GC302",
        "exploding-time",
        _ERROR,
        "recurrent-gain",
        throughtime.exploding_time,
        readings.over_time,
        triable=True,
        silences=_EXPLOSIONS,
    ),
    _rule(
        "GC303",
        "exploding-loss",
        _ERROR,
        f"{_GROWTH_CAUSES} target-scale",
        exploding.exploding_loss,
        readings.loss_scale,
        triable=True,
        silences=_EXPLOSIONS,
    ),
    _rule(
        "GC301",
        "exploding-depth",
        _ERROR,
        _GROWTH_CAUSES,
        exploding.exploding_depth,
        readings.largest_elasticity,
        triable=True,
        silences=_EXPLOSIONS,
    ),
    _rule(
        "GC304",
        "exploding-scale",
        _ERROR,
        f"loss-scale {_GROWTH_CAUSES}",
        exploding.exploding_scale,
        readings.largest_gradient,
        triable=True,
        silences=_EXPLOSIONS,
    ),
    _rule(
        "GC202",
        "vanishing-time",
        _ERROR,
        "bptt-decay gate-closed",
        throughtime.vanishing_time,
        readings.over_time,
        triable=True,
        silences=_COLLAPSE,
    ),
    _rule(
        "GC205",
        "double-softmax",
        _ERROR,
        "double-softmax double-sigmoid",
        softmaxes.double_softmax,
        triable=True,
        silences=("GC203",),
    ),
    _rule(
        "GC218",
        "copied-units",
        _ERROR,
        "symmetric-init",
        copies.copied_units,
        triable=True,
        silences=("GC201", "GC203", *_COLLAPSE),
    ),
    _rule(
        "GC201",
        "vanishing-depth",
        _ERROR,
        f"{_LOSS_CAUSES} saturated-output saturated-loss input-scale unknown",
        depth.vanishing_depth,
        readings.behind_typical,
        triable=True,
        silences=_COLLAPSE,
    ),
    _rule(
        "GC203",
        "insensitive-loss",
        _ERROR,
        f"{_LOSS_CAUSES} saturated-output input-scale target-scale unknown",
        insensitive.insensitive,
        readings.least_elasticity,
        triable=True,
        silences=_COLLAPSE,
    ),
    _rule(
        "GC207",
        "collapsed-signal",
        _ERROR,
        "collapsed norm-depth over-smoothing no-residual exp-underflow saturating-activation small-init wrong-dim",
        collapsed.collapsed_signal,
        readings.told_apart,
        triable=True,
        silences=_ALIKE,
    ),
    _rule(
        "GC206",
        "saturated-layer",
        _WARNING,
        "saturating-activation input-scale",
        saturated.saturated_layer,
        readings.saturated("activation"),
        triable=True,
    ),
    _rule(
        "GC204",
        "softmax-saturated",
        _ERROR,
        "softmax-saturation",
        softmaxes.softmax_saturated,
        readings.saturated("softmax"),
        triable=True,
    ),
    _rule(
        "GC212",
        "uneven-columns",
        _WARNING,
        "input-scale",
        inputs.uneven_columns,
        readings.put_out,
        triable=True,
    ),
    _rule("GC220", "heavy-dropout", _ERROR, "dropout-too-high", dropout.heavy_dropout, triable=True),
    _rule("GC219", "swapped-view", _ERROR, "wrong-dim", views.swapped_view, triable=True),
    _rule("GC417", "severed-calls", _ERROR, "graph-cut", severed.severed_calls, triable=True),
    _rule("GC213", "constant-data", _WARNING, "unshuffled-batches constant-target", inputs.constant_data),
    _rule("GC214", "class-index", _ERROR, "wrong-loss", losses.class_index),
    _rule("GC215", "minimax-loss", _WARNING, "minimax-loss", terms.minimax_loss),
    _rule("GC216", "loss-balance", _WARNING, "loss-balance", terms.loss_balance),
    _rule(
        "GC410",
        "linear-rectifier",
        _WARNING,
        "dead-relu input-scale",
        dead.linear_rectifier,
        triable=True,
        silences=("GC415",),
    ),
    _rule("GC409", "idle-module", _WARNING, "not-in-loss", unused.idle_module, triable=True),
    _rule(
        "GC604",
        "step-not-finite",
        _ERROR,
        "fp16-underflow lr-too-high",
        updates.step_not_finite,
        silences=("GC601", "GC603", "GC605", "GC606"),
    ),
    _rule(
        "GC605",
        "step-moves-nothing",
        _ERROR,
        "update-moves-nothing",
        updates.step_moves_nothing,
        silences=("GC602",),
    ),
    _rule(
        "GC601",
        "step-too-large",
        _ERROR,
        "lr-too-high",
        dynamics.step_too_large,
        triable=True,
        silences=("GC603",),
    ),
    _rule("GC606", "no-warmup", _WARNING, "no-warmup", updates.no_warmup, triable=True, silences=("GC603",)),
    _rule("GC603", "step-raises-loss", _ERROR, "lr-too-high", updates.step_raises_loss, triable=True),
    _rule("GC602", "step-too-small", _WARNING, "lr-too-low", dynamics.step_too_small),
    _rule("GC620", "gradient-drift", _WARNING, "drift", drift.gradient_drift),
    _rule("GC217", "unscaled-inputs", _WARNING, "input-scale", inputs.unscaled_inputs),
    _rule("GC611", "clip-threshold", _NOTE, "clip-threshold", dynamics.clip_threshold),
    _rule("GC612", "converged", _NOTE, "converged", dynamics.converged),
    _rule("GC211", "cancelled", _NOTE, "cancelled", cancelling.cancelled),
    _rule("GC411", "by-design-zero", _NOTE, "by-design-zero", blocked.by_design_zero),
    _rule("GC412", "masked", _NOTE, "masked", blocked.masked_rows),
    _rule("GC413", "unused", _NOTE, "unused detached", unused.unused),
    _rule("GC414", "frozen", _NOTE, "frozen", unused.frozen),
    _rule("GC415", "partly-dead", _NOTE, "partly-dead", dead.partly_dead),
)
BY_CODE = {rule.code: rule for rule in RULES}
"""Every rule by its code."""
