"""Keep the bits of tensors and arrays: a copy where there are few, a fingerprint where there are many.

A forward pass rarely writes into large weights, so copying all of them would double the memory for nothing, and takes
ten times as long as a fingerprint. A large one is copied just before a torch function first writes into it; a write
that no torch function shows (by numpy, by a compiled function, in a thread) is seen in its fingerprint, too late.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradcheck_cli.runtime import tensors
from gradcheck_cli.runtime.state.objects import Found
from gradcheck_cli.runtime.tensors import Bits, Fingerprint, untouched

COPIED = 16 * 2**20
"""Bytes that are copied, the smallest tensors first: all of a small model, and the buffers, biases and norms of a large
one. Any machine has that much to spare, and it costs a few milliseconds."""


class KeptBits:
    """The bits of one tensor as they were, in one form or the other."""

    def __init__(self, label: Found, found: Bits) -> None:
        self.label, self.found = label, found
        self.copy: Bits | None = None
        self.print: Fingerprint | None = None

    def keep(self) -> None:
        """Copy the bits as they are now."""
        if self.copy is None:
            self.copy = tensors.copied(self.found)

    def restored(self) -> bool:
        """Put the bits back where they changed; False where they cannot be."""
        if not tensors.fits(self.found):
            if self.copy is None:
                return False
            tensors.make_room(self.found)
        if self.copy is not None and not tensors.same(self.found, self.copy):
            tensors.put_back(self.found, self.copy)
        return self.print is None or tensors.agree(self.print, tensors.fingerprint(self.found))


class Memory:
    """The bits of everything that was found, at the time when it is made."""

    def __init__(self, found: Iterable[Found], always: Iterable[Found] = ()) -> None:
        """`always` is copied whatever its size: a batch, beside which the activations of a pass are larger still."""
        self._opaque: list[tuple[Found, int]] = []
        self._stretches: dict[Any, KeptBits] = {}
        self._large: dict[int, list[KeptBits]] = {}
        for label in always:
            self._add(label)
        for stretch in self._stretches.values():
            stretch.keep()
        for label in found:
            self._add(label)
        self._choose()

    def _add(self, label: Found) -> None:
        value = label[0]
        found = tensors.bits(value) if isinstance(value, Tensor) else _bits_of_array(value)
        if found is None:
            self._opaque.append((label, value._version))
        for bits in found or ():
            if bits.nbytes:
                self._stretches.setdefault(bits.key, KeptBits(label, bits))

    def _choose(self) -> None:
        left = COPIED
        with untouched():
            for stretch in sorted(self._stretches.values(), key=lambda s: s.found.nbytes):
                if stretch.copy is not None:
                    continue
                left -= stretch.found.nbytes
                if left >= 0:
                    stretch.keep()
                else:
                    stretch.print = tensors.fingerprint(stretch.found)
                    part = stretch.found.words if stretch.found.words.numel() else stretch.found.rest
                    self._large.setdefault(_storage(part), []).append(stretch)

    @property
    def watches(self) -> bool:
        """Whether `before_write` has anything to look out for."""
        return bool(self._large)

    def before_write(self, target: Any) -> None:
        """Copy what `target`, a tensor or a list of tensors, is about to change and is known by its fingerprint."""
        if not self._large:
            return
        with untouched():
            for tensor in target if isinstance(target, (list, tuple)) else (target,):
                for stretch in self._large.pop(_storage(tensor), ()) if isinstance(tensor, Tensor) else ():
                    stretch.keep()

    def restore(self) -> list[Found]:
        """Undo all writes, and return what could not be put back."""
        with untouched():
            lost = [stretch.label for stretch in self._stretches.values() if not stretch.restored()]
            return lost + [label for label, version in self._opaque if label[0]._version != version]


def _bits_of_array(array: Any) -> tuple[Bits, ...]:
    """The memory of a numpy array, seen through the array that owns it; () for one that holds Python objects."""

    while isinstance(array.base, np.ndarray):
        array = array.base
    if array.dtype.hasobject or not array.flags.writeable or not array.flags.forc or not array.size:
        return ()
    flat = array.reshape(-1, order="A").view(np.uint8)
    return tensors.bits(torch.from_numpy(flat)) or ()


def _storage(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError, ValueError):  # sparse, opaque and lazy tensors have no storage
        return 0
