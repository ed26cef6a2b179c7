"""`gradcheck schema`."""

from __future__ import annotations

import json

from gradcheck_cli.cli.writing import emit


def schema() -> None:
    """Print the JSON schema of gradcheck.yaml, with which editors complete and check it."""
    from gradcheck_cli.config import schema as schema_of_config

    emit(json.dumps(schema_of_config(), indent=2) + "\n")
