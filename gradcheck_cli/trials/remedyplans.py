"""From a finding and a remedy to the edits that try it, or to the reason why it cannot be tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gradcheck_cli.trials import layerplans, recurrent, scales
from gradcheck_cli.trials.planning import Plan, PlanningContext
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
    **layerplans.PLANS,
    **recurrent.PLANS,
    **scales.PLANS,
    "bf16": lambda context: Plan(precision="bfloat16"),
    "fp32": lambda context: Plan(precision="float32"),
}
"""By remedy, what plans it."""
