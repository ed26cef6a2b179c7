"""Plans for scales: logits, sums, inputs, targets and the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gradcheck_cli.records.ops import EXPONENTIAL_CALLS, SOFTMAX_CALLS, SQUASHING_CALLS, SUM_CALLS
from gradcheck_cli.trials import edits
from gradcheck_cli.trials.layerplans import drawn
from gradcheck_cli.trials.planning import Edit, Plan, PlanningContext, some
from gradcheck_cli.trials.torchcalls import NothingToActOn, NotTriable


def scale_logits(context: PlanningContext) -> Plan:
    """What goes into a saturated softmax, output or kernel scaled to a size of 1."""
    names = _SCALED.get(context.finding.cause, SOFTMAX_CALLS | SQUASHING_CALLS)
    sizes = {
        c.place: c.deviation if c.name in SOFTMAX_CALLS else math.hypot(c.mean, c.deviation)
        for c in context.calls
        if c.name in names
    }
    calls = [c for c in context.calls if sizes.get(c.place, 0.0) > 1]
    if not calls:
        spread = next((s.std for s in context.evidence.measurement.outputs if s.std), 0.0)
        if spread <= 1:
            raise NothingToActOn("no logits of this model are larger than about 1")
        return Plan(edits=(Edit(function=edits.scale_output, arguments={"factor": float(f"{1 / spread:.3g}")}),))
    factors = {c.place: float(f"{1 / sizes[c.place]:.3g}") for c in calls}
    return Plan(edits=(Edit(function=edits.scale_arguments, arguments={"factors": factors}),))


_SCALED = {"softmax-saturation": frozenset(("softmax",)), "exp-underflow": EXPONENTIAL_CALLS}
"""By cause, the functions whose arguments are too large, where it is not any that saturates."""


def mean_aggregation(context: PlanningContext) -> Plan:
    """Means in place of sums over elements, neighbours or terms."""
    sums = [c for c in context.calls if c.name in SUM_CALLS and not c.parameters and c.tensors >= 1]
    calls = some(sums, "no sum is taken inside the model's modules", NotTriable)
    return Plan(edits=(Edit(function=edits.average, arguments={"places": context.places(calls)}),))


def input_normalization(context: PlanningContext) -> Plan:
    """Inputs standardised by feature."""
    floating = [s for s in context.evidence.measurement.inputs if s.is_floating]
    some(floating, "the batch holds no floating input")
    return Plan(edits=(Edit(function=edits.standardise_inputs),))


def target_normalization(context: PlanningContext) -> Plan:
    """The targets standardised; an output that is saturated since it could not reach them is drawn anew as well."""
    compared = context.evidence.references.compared
    if compared is None:
        raise NotTriable("no output is compared with a target by a regression loss")
    key = next((key for key, value in _items(context.batch) if _has_rms(value, compared[1])), None)
    if key is None:
        raise NotTriable("the batch holds no tensor with the targets")
    return Plan(edits=drawn(context, set()) if context.finding.cause == "saturated-output" else (), targets=key)


def loss_scaling(context: PlanningContext) -> Plan:
    """The loss scaled as the finding recommends."""
    scale = context.finding.evidence.get("loss_scale")
    if not isinstance(scale, (int, float)):
        raise NothingToActOn("no scale fits all gradients")
    return Plan(loss_scale=float(scale))


def _items(batch: Any) -> Sequence[tuple[int | str, Any]]:
    if isinstance(batch, (tuple, list)):
        return list(enumerate(batch))[::-1]  # inputs stand before targets
    return [(k, v) for k, v in batch.items() if isinstance(k, str)] if isinstance(batch, dict) else []


def _has_rms(value: Any, rms: float) -> bool:
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.numel() < 2:
        return False
    return math.isclose(float(value.double().square().mean().sqrt()), rms, rel_tol=1e-3)
