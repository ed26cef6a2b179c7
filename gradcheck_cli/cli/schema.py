"""`gradcheck schema`."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated

import typer

from gradcheck_cli.cli.writing import emit


class DocumentKind(str, Enum):
    """What there is a schema of."""

    CONFIG = "config"
    REPORT = "report"
    SUITE = "suite"
    RUN = "run"


def schema(
    document: Annotated[
        DocumentKind, typer.Argument(help="gradcheck.yaml, or the JSON of a check, of a batch or of a run.")
    ] = DocumentKind.CONFIG,
) -> None:
    """Print a JSON schema: of gradcheck.yaml, with which editors complete and check it, or of what is saved as JSON."""
    emit(json.dumps(_made(document), indent=2) + "\n")


def _made(document: DocumentKind) -> dict[str, object]:
    if document is DocumentKind.CONFIG:
        from gradcheck_cli.config import schema as schema_of_config

        return schema_of_config()
    from gradcheck_cli.records.schemas import schema_of

    return schema_of(document.value)
