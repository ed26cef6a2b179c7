"""What a caller of the Python API says of a verdict, read as gradcheck.yaml would say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from gradcheck_cli.config.plans import ignored
from gradcheck_cli.config.yamlmodels import VerdictSettings
from gradcheck_cli.errors import UsageError
from gradcheck_cli.records.thresholds import Thresholds


def caller_settings(ignore: Mapping[str, Any], thresholds: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """The fields ignore, waivers and thresholds of a CheckSpec.

    Args:
        ignore: As in gradcheck.yaml: from rules to {"layers": [GLOB, ...], "reason": WHY}, or several of these.
        thresholds: As in gradcheck.yaml: from rules to numbers by their names.

    Raises:
        UsageError: One of them does not fit.
    """
    try:
        verdict = VerdictSettings.model_validate({"ignore": dict(ignore), "thresholds": dict(thresholds)})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part != "[key]")
        raise UsageError(f"{place}: {first['msg']}", hint="Write it as in gradcheck.yaml.") from error
    rules, waivers = ignored([verdict])
    numbers = {name: number for values in verdict.thresholds.values() for name, number in values.items()}
    return {"ignore": rules, "waivers": waivers, "thresholds": Thresholds(**numbers)}
