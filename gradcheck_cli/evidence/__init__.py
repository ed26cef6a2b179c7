"""A Measurement in, everything that rules and trials look at out: gathered once, handed on. Pure."""

from gradcheck_cli.evidence.evidence import Evidence, gather

__all__ = ["Evidence", "gather"]
