"""How a row of the catalogue is written."""

from __future__ import annotations

from gradcheck_cli.records.report import Remedy


def remedy(name: str, title: str, detail: str, code: str = "", *, unless: str, source: str) -> Remedy:
    """One row: its id, a title, why it works, a line to paste, where not to use it, and where it comes from."""
    return Remedy(id=name, title=title, detail=detail, code=code, unless=unless, source=source)
