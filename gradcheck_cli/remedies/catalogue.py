"""The catalogue as data: every remedy once by id, and for every cause the ids that fit it."""

from __future__ import annotations

from collections.abc import Mapping

from gradcheck_cli.records.report import Remedy
from gradcheck_cli.remedies import model, numerics

NOTE_CAUSES = frozenset(("by-design-zero", "cancelled", "unused", "frozen", "masked", "converged", "clip-threshold"))
"""What is reported so that nothing vanishes silently, but is no illness and needs no remedy."""

CATALOGUE: Mapping[str, Remedy] = {remedy.id: remedy for remedy in (*model.REMEDIES, *numerics.REMEDIES)}
"""Every remedy by its id."""

_IDS_BY_CAUSE = {
    # Vanishing.
    "saturating-activation": "relu normalization init residual gelu input-normalization bias-init",
    "saturated-output": "scale-logits init bias-init lower-lr target-normalization normalization",
    "saturated-loss": "log-softmax loss-fix target-normalization scale-logits",
    "softmax-saturation": "scale-logits normalization init lower-lr",
    "small-init": "init normalization residual residual-scaling",
    "depth": "residual normalization init fewer-layers relu",
    "residual-scale": "residual-scaling init normalization",
    "bptt-decay": "lstm gru forget-bias orthogonal-init identity-recurrence attention residual",
    "gate-closed": "forget-bias bias-init lstm attention",
    "double-softmax": "remove-softmax log-softmax",
    # Exploding.
    "large-init": "init normalization clipping weight-decay warmup",
    "input-scale": "input-normalization normalization data-cleaning",
    "target-scale": "target-normalization mean-aggregation clipping",
    "loss-scale": "mean-aggregation lower-lr clipping target-normalization",
    "residual-growth": "residual-scaling normalization warmup clipping",
    "recurrent-gain": "orthogonal-init identity-recurrence clipping lstm gru weight-decay l1",
    "sum-aggregation": "mean-aggregation normalization clipping",
    "small-denominator": "eps clamp variance-floor clipping",
    # No gradient.
    "dead-relu": "leaky-relu init bias-init lower-lr gelu input-normalization",
    "graph-cut": "remove-detach differentiable-op",
    "non-differentiable-op": "differentiable-op straight-through loss-fix",
    "single-element-softmax": "softmax-dim remove-softmax",
    "single-element-norm": "remove-norm normalization batch-size",
    "masked-loss": "mask-fix loss-fix drop-empty",
    # Non-finite: values.
    "exp-overflow": "log-softmax clamp softplus scale-logits fp32",
    "log-zero": "log-softmax clamp eps xlogy",
    "log-negative": "softplus clamp data-cleaning",
    "sqrt-zero": "eps double-where clamp",
    "pow-domain": "clamp double-where eps",
    "acos-boundary": "clamp double-where",
    "zero-div-zero": "eps double-where drop-empty",
    "zero-times-inf": "xlogy double-where mask-fix clamp",
    "where-trap": "double-where clamp",
    "masked-softmax-row": "mask-fix drop-empty",
    "logsumexp-neginf": "mask-fix clamp double-where",
    "empty-reduction": "drop-empty loss-fix batch-size",
    "degenerate-eigenvalues": "jitter clamp fp32",
    "zero-variance": "variance-floor batch-size data-cleaning",
    "ctc-infeasible": "zero-infinity data-cleaning drop-empty",
    "custom-backward": "fix-backward clamp",
    # Non-finite: data and weights.
    "nan-input": "data-cleaning input-check",
    "inf-input": "data-cleaning input-check clamp",
    "nan-parameter": "weight-check lower-lr clipping",
    # Training dynamics.
    "lr-too-high": "lower-lr warmup clipping",
    "lr-too-low": "raise-lr normalization",
    "drift": "update-baseline",
    # Precision.
    "fp16-overflow": "bf16 fp32 loss-scaling scale-logits",
    "fp16-underflow": "loss-scaling bf16 fp32",
}

BY_CAUSE: Mapping[str, tuple[str, ...]] = {cause: tuple(ids.split()) for cause, ids in _IDS_BY_CAUSE.items()}
"""For every cause the ids of the remedies that fit it, in the order in which to try them."""
