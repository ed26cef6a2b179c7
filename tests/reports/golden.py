"""Texts that are kept beside the tests, each named after the test that makes it."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "goldens"
REGENERATE = "GRADCHECK_REGENERATE_GOLDENS"


def compare(name: str, text: str, ending: str = "txt") -> None:
    """Compare with the golden of that name; with the variable above set, write it."""
    path = FOLDER / f"{name}.{ending}"
    if os.environ.get(REGENERATE):
        path.write_text(text, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.exists() else None
    assert text == kept, f"set {REGENERATE}=1 to write {path.name}"
