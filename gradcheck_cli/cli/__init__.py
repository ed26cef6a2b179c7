"""The commands: parse, call the pipeline, write, exit. Nothing here imports torch at module level."""

from __future__ import annotations

from gradcheck_cli.cli.app import app, run

__all__ = ["app", "run"]
