"""Who made the values that are not finite: known by the memory that they lie in, not by their place in the pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

Sources = frozenset["Source"]
NOBODY: Sources = frozenset()


@dataclass(eq=False, slots=True)
class Source:
    """Where a value that is not finite comes from.

    Attributes:
        order: Place in the pass; -1 for a value that was there before it.
        weak: Whether it may well be meant, as the -inf that is written into a mask.
        kind: "" for an op, else what held the value before the pass: "batch", "parameter" or "buffer".
        name: The name of the tensor that held it.
        value: "nan" or "inf" of a value that was there before.
        about: What is told of the op that made it; of a value that was there before, the op that it came in by.
        entered: Place in the pass of that op.
        fed: The learned parameters, not finite before the pass, that what went into the op was made from although it
            was finite.
    """

    order: int
    weak: bool = False
    kind: str = ""
    name: str = ""
    value: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    entered: int = 0
    fed: Sources = frozenset()


class TaintTracker:
    """The sources of every tensor that is not finite, and of what was asked of one, such as `isnan`.

    Tensors that share their memory share their sources, so views and writes in place need no care. What is written
    down is kept alive, so that its memory cannot become another tensor's.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Tensor, Sources]] = {}

    def of(self, tensor: Tensor) -> Sources:
        """The sources of what lies in a tensor's memory; none where nothing is known of it."""
        known = self._known.get(_memory(tensor))
        return NOBODY if known is None else known[1]

    def of_all(self, tensors: Iterable[Tensor]) -> Sources:
        """The sources of several tensors."""
        return NOBODY.union(*map(self.of, tensors))

    def add(self, tensor: Tensor, sources: Sources) -> None:
        """Note where the values of a tensor come from, beside what is known of its memory."""
        if sources:
            self._known[_memory(tensor)] = tensor, self.of(tensor) | sources

    def forget(self, tensor: Tensor) -> None:
        """What lay in its memory has been written over, if the tensor is all that lies there."""
        known = self._known.get(_memory(tensor))
        if known is not None and tensor.numel() >= known[0].numel():
            del self._known[_memory(tensor)]


def _memory(tensor: Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # a sparse tensor, or one of a sub-class
        return id(tensor)


def first(sources: Iterable[Source]) -> Source | None:
    """The one to blame: the first that is not meant, or the first at all."""
    found = sorted(sources, key=lambda source: (source.weak, source.order, source.entered))
    return found[0] if found else None


def suspects(sources: Iterable[Source]) -> list[Source]:
    """Those that are not meant, in the order in which they were made; only one of what was there before by its name."""
    strong = sorted((s for s in sources if not s.weak), key=lambda source: (source.order, source.entered))
    return list({(s.order, s.kind, s.name): s for s in reversed(strong)}.values())[::-1]


def standing(kind: str, name: str, tensor: Tensor) -> Source | None:
    """The source of a tensor that was not finite before the pass; None where it was.

    -inf alone is what masks are made of.
    """
    if torch.isfinite(tensor).all():
        return None
    nan = bool(torch.isnan(tensor).any())
    meant = not nan and not tensor.is_complex() and not bool((tensor == torch.inf).any())
    return Source(order=-1, weak=meant, kind=kind, name=name, value="nan" if nan else "inf")
