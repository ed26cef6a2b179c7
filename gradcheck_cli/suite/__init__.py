"""Many checks, each in a process of its own: what one does to itself costs none of the others."""

from __future__ import annotations

from gradcheck_cli.suite.runner import run_one, run_plan

__all__ = ["run_one", "run_plan"]
