"""From a finding and a remedy to the edits that try it, or to the reason why it cannot be tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gradcheck_cli.trials.layerplans import (
    bias_init,
    gelu,
    init,
    leaky_relu,
    lower_dropout,
    normalization,
    output_layer,
    relu,
    remove_norm,
    remove_sigmoid,
    remove_softmax,
    residual,
    residual_scaling,
    shape_fix,
    softmax_dim,
    softplus,
)
from gradcheck_cli.trials.planning import Plan, PlanningContext
from gradcheck_cli.trials.recurrent import forget_bias, gated, identity_recurrence, orthogonal
from gradcheck_cli.trials.scales import (
    input_normalization,
    loss_scaling,
    mean_aggregation,
    scale_logits,
    target_normalization,
)
from gradcheck_cli.trials.torchcalls import NotTriable


def plan(remedy: str, context: PlanningContext) -> Plan:
    """The edits that try a remedy.

    Raises:
        NotTriable: It needs the user's hand; as NothingToActOn where what it would change is not there.
    """
    make = PLANS.get(remedy)
    if make is None:
        raise NotTriable("it changes your code in a way that only you can choose")
    return make(context)


PLANS: Mapping[str, Callable[[PlanningContext], Plan]] = {
    "relu": relu,
    "gelu": gelu,
    "leaky-relu": leaky_relu,
    "softplus": softplus,
    "init": init,
    "normalization": normalization,
    "residual": residual,
    "residual-scaling": residual_scaling,
    "scale-logits": scale_logits,
    "remove-softmax": remove_softmax,
    "remove-sigmoid": remove_sigmoid,
    "output-layer": output_layer,
    "shape-fix": shape_fix,
    "lower-dropout": lower_dropout,
    "softmax-dim": softmax_dim,
    "remove-norm": remove_norm,
    "mean-aggregation": mean_aggregation,
    "lstm": gated("lstm"),
    "gru": gated("gru"),
    "forget-bias": forget_bias,
    "bias-init": bias_init,
    "orthogonal-init": orthogonal,
    "identity-recurrence": identity_recurrence,
    "input-normalization": input_normalization,
    "target-normalization": target_normalization,
    "loss-scaling": loss_scaling,
    "bf16": lambda context: Plan(precision="bfloat16"),
    "fp32": lambda context: Plan(precision="float32"),
}
"""By remedy, what plans it."""
