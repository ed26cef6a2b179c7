"""How a row of the catalogue is written."""

from __future__ import annotations

from gradcheck_cli.records.report import Remedy


def remedy(name: str, title: str, detail: str, code: str = "") -> Remedy:
    """One row: its id, a title, a sentence on why and when not, and a line to paste."""
    return Remedy(id=name, title=title, detail=detail, code=code)
