"""Whether updates move parameters, and whether something moves them back: looked at in an optimiser's first updates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.loop.loopfaults import STILL

_LOOKED = 12
"""First updates that are looked at."""
_ELEMENTS = 1024
"""Elements of a parameter that stand for it, until all of them have to be looked at."""


class _Spot(NamedTuple):
    """One element of a parameter, the `which`-th: where its memory is, and what it was before the first update."""

    which: int
    place: int
    element: Tensor
    memory: int
    value: Any


class MovementCheck:
    """The parameters of one optimiser before and after its first updates.

    Attributes:
        moved: Whether its last update moved any of them; None where that was not looked at.
        reset: Whether they are again what they were before the last update, which moved them.
        over: Whether they are again, bit for bit, what they were before the first update of all, and were not at the
            last one: put back at every update they are `reset`.
    """

    def __init__(self) -> None:
        self.moved: bool | None = None
        self.reset = self.over = False
        self._before: list[Tensor] = []
        self._first: list[Tensor] = []
        self._mover: int | None = None  # the first that the first update moved: it tells for all
        self._spot: _Spot | None = None
        self._ever = self._whole = self._at_first = False

    def updating(self, number: int, parameters: Sequence[Tensor]) -> None:
        """Its `number`-th update is about to be made; each parameter has to be the same at every call."""
        was, self._at_first = self._at_first, self._is_over(number, parameters)
        self.over = self._at_first and not was
        if number > _LOOKED:
            self._before, self.moved, self.reset = [], None, False
            return
        self._whole = number >= STILL - 1 and not self._ever
        now = _parts(parameters, whole=self._whole)
        self.reset = bool(self.moved) and _alike(now, self._before)
        self._before = now

    def updated(self, parameters: Sequence[Tensor]) -> None:
        """It has been made."""
        if self._before and not self._first:
            self._first = [part[:_ELEMENTS] for part in self._before]
            pairs = zip(self._first, _parts(parameters, whole=False), strict=True)
            self._mover = next((i for i, pair in enumerate(pairs) if not _alike(pair[:1], pair[1:])), None)
            self._spot = self._spot_in(parameters)
        if self._before:
            self.moved = not _alike(_parts(parameters, whole=self._whole), self._before)
            self._ever = self._ever or self.moved

    def may_be_over(self, parameters: Sequence[Tensor]) -> bool:
        """Whether `updating` has to be asked: one number is again what it was before the first update."""
        if self._mover is None:
            return False
        if self._spot is None or self._spot.which >= len(parameters):  # a number of it is not to be had
            return True
        if parameters[self._spot.which].data_ptr() != self._spot.memory:  # it was moved, or gathered anew
            self._spot = _spot_at(parameters, self._spot.which, self._spot.place, self._spot.value)
            return True
        is_back: bool = self._spot.element.item() == self._spot.value
        self._at_first = self._at_first and is_back
        return is_back

    def _spot_in(self, parameters: Sequence[Tensor]) -> _Spot | None:
        if self._mover is None:
            return None
        which = [i for i, p in enumerate(parameters) if p.layout is torch.strided][self._mover]
        if type(parameters[which]) not in (Tensor, nn.Parameter):
            return None
        pairs = zip(self._first[self._mover], _parts([parameters[which]], whole=False)[0], strict=True)
        values = ((place, was.item(), now.item()) for place, (was, now) in enumerate(pairs))
        place, value = next(((place, was) for place, was, now in values if was != now), (0, math.nan))
        return _spot_at(parameters, which, place, value)

    def _is_over(self, number: int, parameters: Sequence[Tensor]) -> bool:
        strided = [p for p in parameters if p.layout is torch.strided]
        if number < 2 or self._mover is None or len(strided) != len(self._first):
            return False
        one, mover = self._mover, strided[self._mover]
        return _alike(_parts([mover], whole=False), self._first[one : one + 1]) and _alike(
            _parts(strided, whole=False), self._first
        )


def _spot_at(parameters: Sequence[Tensor], which: int, place: int, value: Any) -> _Spot:
    parameter = parameters[which]
    with untouched():
        index = tuple(int(each) for each in torch.unravel_index(torch.tensor(place), parameter.shape))
        return _Spot(which, place, parameter.detach()[index], parameter.data_ptr(), value)


def is_held(parameter: Tensor) -> bool:
    """Whether a parameter is in this process: FSDP gathers one for a call, and frees its memory after it."""
    held = parameter.untyped_storage().nbytes() if parameter.layout is torch.strided else 0
    return held >= parameter.numel() * parameter.element_size()


def parts_of_one(parameter: Tensor, *, whole: bool = False) -> Tensor:
    """A copy of a parameter's first elements, or of all."""
    flat = parameter.detach().reshape(-1)
    return (flat if whole else flat[:_ELEMENTS]).clone()


def _parts(parameters: Sequence[Tensor], *, whole: bool) -> list[Tensor]:
    with untouched():
        return [parts_of_one(p, whole=whole) for p in parameters if p.layout is torch.strided]


def _alike(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    with untouched():
        return len(one) == len(other) and all(map(torch.equal, one, other))
