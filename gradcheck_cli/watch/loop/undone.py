"""Whether something but the optimiser takes back what its updates do: an average that is put in and stays, a reload."""

from __future__ import annotations

import weakref
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.loop.movement import parts_of_one

_MORE_THAN_HALF = 0.499
"""What is left of a way of which more than half is taken back; a copy that meets its model halfway takes just half."""


class Undone:
    """Fed before and after each update of one optimiser; one of its parameters stands for all.

    A write shows by the parameter's version, which costs nothing; only from the first one on are its numbers kept.

    Attributes:
        times: How often more than half of what the updates since the last write had done was taken back by one.
    """

    def __init__(self) -> None:
        self.times = 0
        self._stands: weakref.ref[Tensor] | None = None
        self._version: int | None = None
        self._base: Tensor | None = None  # as it was after the last write
        self._after: Tensor | None = None  # as it was after the last update

    def updating(self) -> None:
        """An update is about to be made."""
        parameter = self._stands() if self._stands is not None else None
        if parameter is None or self._version in (None, parameter._version):
            return
        with untouched():
            now, after = parts_of_one(parameter), self._after
            if self._base is None or after is None:
                self._base = now
            elif not torch.equal(now, after):
                left, way = (now - self._base).norm(), (after - self._base).norm()
                self.times += bool(left < _MORE_THAN_HALF * way)
                self._base = now

    def updated(self, parameters: Iterable[Tensor]) -> None:
        """It has been made, on these."""
        parameter = self._stands() if self._stands is not None else None
        if parameter is None:
            plain = (p for p in parameters if type(p) in (Tensor, nn.Parameter) and p.is_floating_point())
            parameter = next((p for p in plain if p.layout is torch.strided and p.numel() > 1), None)
            self._stands = None if parameter is None else weakref.ref(parameter)
        if parameter is not None:
            self._version = parameter._version
            if self._base is not None:
                with untouched():
                    self._after = parts_of_one(parameter)
