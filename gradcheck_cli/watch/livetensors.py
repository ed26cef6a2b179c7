"""The tensors that are alive, and the calls that they come from: by weak identity, so that nothing lives longer."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from gradcheck_cli.watch.backward import Backward, reached
from gradcheck_cli.watch.entries import (
    Data,
    Lost,
    NodeOutput,
    Slot,
    Taker,
    TapeEntry,
    data_of,
    flat,
    memory_of,
    version_of,
)

NOTHING: Mapping[int, Data] = MappingProxyType({})
"""Nothing from outside that is written into."""
_MOST_CALLS = 256
"""Calls of modules after which those that nothing comes from any more are left out."""
_MOST_SLOTS = 20_000
"""Tensors alive that calls have made, after which those without a graph are taken for data."""


class LiveTensors:
    """What calls are given, and what they make.

    Attributes:
        taker: Takes a call's arguments down.
        copying: Whether what comes from outside is copied at once.
        window: Backward passes so far.
    """

    def __init__(self) -> None:
        self.copying = False
        self.window = 0
        self._slots: dict[int, Slot] = {}
        self._used: set[int] = set()
        self._used_before: set[int] = set()
        self._passes: list[weakref.ref[Backward]] = []
        self._copies: dict[int, Data] = {}
        self._most_slots = _MOST_SLOTS
        self._calls: list[tuple[int, int, weakref.ref[TapeEntry]]] = []
        self.taker = Taker(self._slots, self._outside, self._unknown)

    def of(self, tensor: Any) -> Slot | None:
        """The slot of a tensor that a call made."""
        return self._slots.get(id(tensor))

    def newest(self) -> list[Slot]:
        """All slots, those of the last call first."""
        return sorted(self._slots.values(), key=lambda slot: slot.entry.number, reverse=True)

    def called(self, entry: TapeEntry, after: int) -> None:
        """A module's call has ended, and all autograd nodes from its first to that before `after` are its own."""
        if len(self._slots) > self._most_slots:
            self._fewer()
        if len(self._calls) > _MOST_CALLS:
            self._calls = [call for call in self._calls if call[2]() is not None]
        self._calls.append((entry.sequence, after, weakref.ref(entry)))

    def begun(self, backward: Backward) -> None:
        """A backward pass is about to run; what leads to it is kept for as long as it is."""
        self._passes.append(weakref.ref(backward))

    def clear(self) -> None:
        """Let go of all."""
        self._slots.clear()
        self._calls.clear()

    # -- what goes in

    def _outside(self, tensor: Tensor) -> Data:
        key = id(tensor)
        if not self.copying:
            self._used.add(key)
            return Data(tensor)
        found = self._copies.get(key)
        if found is None or found.source != (key, version_of(tensor)):
            found = self._copies[key] = Data(tensor.detach().clone(), (key, version_of(tensor)))
        return found

    def _unknown(self, tensor: Tensor) -> Slot | Lost:
        """A tensor with a graph that no call returned: a module's call may have left it somewhere."""
        with torch._C.DisableTorchFunction():
            node = tensor.grad_fn
            number = node._sequence_nr() if node is not None else -1
            for first, last, ref in reversed(self._calls):
                entry = ref()
                if entry is not None and first <= number < last:
                    return self.slot(tensor, entry, NodeOutput(number - first, tensor.output_nr))
            return Lost(tensor)

    def before_write(self, target: Any) -> None:
        """What came from outside and is written into stays on the tape as it was."""
        for tensor in flat(target):
            key = id(tensor)
            if key not in self._slots and (key in self._used or key in self._used_before):
                self._used.discard(key)
                self._used_before.discard(key)
                kept = tensor.detach().clone()
                for data in self._held():
                    if data.tensor is tensor:
                        data.keep(kept)

    def _held(self) -> Iterator[Data]:
        """All data that is on the tape."""
        entries = {entry.number: entry for entry in reached(list(self._slots.values()))}
        kept = (backward for ref in self._passes if (backward := ref()) is not None)
        entries.update((entry.number, entry) for backward in kept for entry in backward.entries)
        for entry in entries.values():
            yield from data_of(entry)

    # -- what comes out

    def made(self, entry: TapeEntry, tensors: Iterable[tuple[int, Tensor]]) -> None:
        """A module's call has returned these, which are numbered."""
        for index, tensor in tensors:
            if not (tensor.requires_grad and tensor.is_leaf):
                self.slot(tensor, entry, index)

    def keep(
        self,
        entry: TapeEntry,
        tensors: Collection[tuple[int, Tensor]],
        target: Any = None,
        aliasing: bool = False,
        before: Mapping[int, Data] = NOTHING,
        risky: bool = False,
    ) -> None:
        """Take a function's call down, if it is part of what may lead to a loss; what it returned is numbered.

        With `risky`, also one of data alone.
        """
        targets = () if target is None else flat(target)
        for _, tensor in tensors:
            if tensor.requires_grad:
                if not (entry.needs or entry.leaves or entry.lost is not None):
                    return
                break
        else:
            written = any(t.requires_grad and not t.is_leaf for t in targets)
            made = self._of_before(entry) if entry.needs else not risky
            if not written and made:
                return
        for index, tensor in tensors:
            if (targets and any(tensor is t for t in targets)) or (tensor.requires_grad and tensor.is_leaf):
                continue
            slot = self.slot(tensor, entry, index)
            if (aliasing or tensor._is_view()) and entry.needs:
                self._share(slot, tensor, entry)
        for tensor in targets:
            self._wrote(tensor, entry, before)

    def slot(
        self, tensor: Tensor, entry: TapeEntry, index: int | NodeOutput | None, was: Slot | Data | None = None
    ) -> Slot:
        """A tensor comes from this call from now on, as its result of that index."""
        slot = Slot(tensor, self._died)
        slot.key = id(tensor)
        slot.entry, slot.index, slot.learns = entry, index, tensor.requires_grad
        if was is not None:
            slot.was = was
        self._slots[slot.key] = slot
        return slot

    def _died(self, slot: weakref.ref[Tensor]) -> None:
        assert isinstance(slot, Slot)
        if self._slots.get(slot.key) is slot:
            del self._slots[slot.key]

    def _fewer(self) -> None:
        """What has no graph is data from now on: a memory of what an agent did grows for long."""
        for slot in list(self._slots.values()):
            if not slot.learns:
                self._slots.pop(slot.key, None)
        self._most_slots = max(_MOST_SLOTS, 2 * len(self._slots))

    def _of_before(self, entry: TapeEntry) -> bool:
        """Whether a result without a graph is made of what was there before the last backward pass: it is data now."""
        window = self.window
        return entry.needs[0].entry.window < window and all(slot.entry.window < window for slot in entry.needs)

    def _share(self, slot: Slot, tensor: Tensor, entry: TapeEntry) -> None:
        memory = memory_of(tensor)
        for need in entry.needs:
            other = need()
            if other is not None and self._slots.get(need.key) is need and memory_of(other) == memory:
                if need.home is None:
                    need.home = [need.key]
                need.home.append(slot.key)
                slot.home = need.home
                return

    def _wrote(self, tensor: Tensor, entry: TapeEntry, before: Mapping[int, Data]) -> None:
        """What is written into is another value from now on, under all names that it has."""
        slot = self._slots.get(id(tensor))
        if slot is None:
            if id(tensor) in before and tensor.requires_grad and not tensor.is_leaf:
                self.slot(tensor, entry, None, before[id(tensor)])
            return
        for key in slot.home or [slot.key]:
            old = self._slots.get(key)
            alive = old() if old is not None and old.home is slot.home else None
            if old is not None and alive is not None:
                new = self.slot(alive, entry, None, old)
                new.home = old.home

    # -- what goes

    def ended(self, backward: Backward) -> None:
        """What is freed, and what is a value now, leads nowhere any more."""
        spent = () if backward.retain else self._spent(backward)
        slots = self._slots
        for slot in list(slots.values()):
            if not slot.learns or slot.entry in spent:
                slots.pop(slot.key, None)
        self._calls = [call for call in self._calls if (e := call[2]()) is not None and e not in spent]
        self._copies.clear()
        self._passes = [ref for ref in self._passes if ref() is not None]
        self._used_before = self._used | self._used_before if len(self._passes) > 1 else self._used
        self._used = set()
        self.window += 1

    def _spent(self, backward: Backward) -> set[TapeEntry]:
        """The calls, among those that something alive comes from, whose graph this backward pass has freed."""
        alive = {slot.entry for slot in self._slots.values() if slot.learns}
        alive.update([entry for call in self._calls if (entry := call[2]()) is not None])
        spent: set[TapeEntry] = set()
        seen: set[TapeEntry] = set()
        stack = list(backward.roots)
        while stack and len(spent) < len(alive):
            slot = stack.pop()
            entry = slot.entry
            if slot.was is not None and isinstance(slot.was, Slot):
                stack.append(slot.was)
            if entry not in seen:
                seen.add(entry)
                if entry in alive:
                    spent.add(entry)
                stack += [need for need in entry.needs if need.learns]
        return spent


def kept_before(entry: TapeEntry, target: Any) -> dict[int, Data]:
    """What came from outside and this very call writes into, as it is before: by the tensors' ids."""
    found = {}
    for tensor in flat(target):
        for data in data_of(entry):
            if data.tensor is tensor:
                data.keep(tensor.detach().clone())
                found[id(tensor)] = data
    return found
