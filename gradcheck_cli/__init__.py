"""gradcheck: which layers get no usable gradient, why, and what measurably fixes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck_cli.api import Report, check, load_report, render
    from gradcheck_cli.errors import (
        ConfigError,
        GradcheckError,
        InternalError,
        ProbeError,
        ReportError,
        StateError,
        TargetError,
        UsageError,
        UserCodeError,
    )
    from gradcheck_cli.records.choices import Severity, Status
    from gradcheck_cli.records.report import Finding, Layer, Remedy, Trial

__version__ = "0.1.0"
__all__ = [
    "ConfigError",
    "Finding",
    "GradcheckError",
    "InternalError",
    "Layer",
    "ProbeError",
    "Remedy",
    "Report",
    "ReportError",
    "Severity",
    "StateError",
    "Status",
    "TargetError",
    "Trial",
    "UsageError",
    "UserCodeError",
    "__version__",
    "check",
    "load_report",
    "render",
]

_HOMES = {
    **dict.fromkeys(("Report", "check", "load_report", "render"), "api"),
    **dict.fromkeys(("Finding", "Layer", "Remedy", "Trial"), "records.report"),
    **dict.fromkeys(("Severity", "Status"), "records.choices"),
    **{name: "errors" for name in __all__ if name.endswith("Error")},
}


def __getattr__(name: str) -> Any:
    """Load the public names on first use (PEP 562): `import gradcheck_cli` must not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
