"""One instrumented forward and backward pass: a target in, a Measurement in plain numbers out; and further passes."""

from gradcheck_cli.probe.enquiring import at_chance, chance, enquire
from gradcheck_cli.probe.measure import measure

__all__ = ["at_chance", "chance", "enquire", "measure"]
