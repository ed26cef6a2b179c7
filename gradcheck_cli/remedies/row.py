"""What a row of the catalogue holds: all that is known of a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gradcheck_cli.records.report import Remedy


class Tried(Enum):
    """How a remedy is tried on a copy of the model."""

    EDIT = "the copy is edited, measured again, and trained"
    TRAINING = "the copy is trained by another recipe"
    BY_HAND = "it changes the user's code in a way that only they can choose"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One remedy: its words, the causes that it serves, each with its place among their remedies, and its trial."""

    remedy: Remedy
    causes: Mapping[str, int]
    tried: Tried


def remedy(
    name: str,
    title: str,
    detail: str,
    code: str = "",
    *,
    causes: str,
    unless: str,
    source: str,
    tried: Tried = Tried.BY_HAND,
) -> Row:
    """One row.

    Args:
        name: Its id.
        title: What to do, in a few words.
        detail: Why it works.
        code: A line to paste.
        causes: `cause:place` for each cause that it serves; place 1 is tried first.
        unless: Where not to use it.
        source: A paper, or a page of the documentation.
        tried: How it is tried.
    """
    pairs = (each.split(":") for each in causes.split())
    return Row(
        remedy=Remedy(id=name, title=title, detail=detail, code=code, unless=unless, source=source),
        causes={cause: int(place) for cause, place in pairs},
        tried=tried,
    )
