"""Remedies tried on copies of the model: what came of each, by the number that the finding was raised on."""

from gradcheck_cli.trials.trying import Reporting, try_remedies

__all__ = ["Reporting", "try_remedies"]
