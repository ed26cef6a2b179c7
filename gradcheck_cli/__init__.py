"""gradcheck: which layers get no usable gradient, why, and what measurably fixes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck_cli.api import Report, check
    from gradcheck_cli.records.report import Finding

__version__ = "0.1.0"
__all__ = ["Finding", "Report", "__version__", "check"]

_HOMES = {
    "check": "gradcheck_cli.api",
    "Report": "gradcheck_cli.api",
    "Finding": "gradcheck_cli.records.report",
}


def __getattr__(name: str) -> Any:
    """Load the public names on first use (PEP 562): `import gradcheck_cli` must not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
