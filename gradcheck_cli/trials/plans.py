"""From a finding and a remedy to the edits that try it, or to the reason why it cannot be tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gradcheck_cli.trials import layers, recurrent, scales
from gradcheck_cli.trials.calls import NotTriable
from gradcheck_cli.trials.situation import Plan, Situation


def plan(remedy: str, situation: Situation) -> Plan:
    """The edits that try a remedy.

    Raises:
        NotTriable: It needs the user's hand; as NothingToActOn where what it would change is not there.
    """
    make = PLANS.get(remedy)
    if make is None:
        raise NotTriable("it changes your code in a way that only you can choose")
    return make(situation)


PLANS: Mapping[str, Callable[[Situation], Plan]] = {
    **layers.PLANS,
    **recurrent.PLANS,
    **scales.PLANS,
    "bf16": lambda situation: Plan(precision="bfloat16"),
    "fp32": lambda situation: Plan(precision="float32"),
}
"""By remedy, what plans it."""
