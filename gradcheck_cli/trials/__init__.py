"""Remedies tried on copies of the model: what came of each, by the number that the finding was raised on."""

from gradcheck_cli.trials.budget import Budget
from gradcheck_cli.trials.guarding import carried_out
from gradcheck_cli.trials.stepping import PASSES, first_update, first_updates
from gradcheck_cli.trials.trying import INTERRUPTED, Reporting, try_remedies

__all__ = [
    "INTERRUPTED",
    "PASSES",
    "Budget",
    "Reporting",
    "carried_out",
    "first_update",
    "first_updates",
    "try_remedies",
]
