"""One instrumented forward and backward pass: a target in, a Measurement in plain numbers out."""

from gradcheck_cli.probe.measure import measure

__all__ = ["measure"]
