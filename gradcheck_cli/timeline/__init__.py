"""One run from its session to a timeline; `assembling` is the file to read first."""

from gradcheck_cli.timeline.assembling import assembled

__all__ = ["assembled"]
