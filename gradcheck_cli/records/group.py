"""Factors of one gradient that belong together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Factors on the way to one gradient, of the same kind, in the same modules, made at the same line.

    Attributes:
        kind: A noun in the singular: "sigmoid slope", "weight", "matrix product", "merge" (branches that meet), "step"
            (of a module that runs through a sequence), "shared" (all that another layer has in common with this one),
            or the plain name of an op.
        modules: Indexes of the modules that made them in the order of the forward pass; -1 is outside of the model.
        source: Index of the user's line; -1 if unknown.
        decades: What they make of the gradient together.
        count: How many there are; for "step" of the steps.
        factors: Each op that is one of them with its decades, from the leaf up; for "merge" the ops where branches
            meet. In other groups what merges did is only part of `decades`.
    """

    kind: str
    modules: tuple[int, ...]
    source: int
    decades: float
    count: int
    factors: tuple[tuple[int, float], ...]


def of_kind(count: int, kind: str) -> str:
    """So many factors of a kind: `1 weight`, `10 sigmoid slopes`, `2 exp`."""
    noun = kind in ("weight", "matrix product", "merge", "step") or kind.endswith(" slope")
    return f"{count:,} {kind}s" if noun and count != 1 else f"{count:,} {kind}" if noun or count != 1 else kind
