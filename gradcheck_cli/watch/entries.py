"""What a run's last steps were made of: the calls that led to a loss, as much of them as came from outside.

A result is a slot, which refers to its tensor weakly and to its call strongly; a call refers to the slots among its
arguments. So a call is kept for as long as something alive comes from it and is freed by itself after that, and the
calls behind a loss are those that can be reached from its slot.
"""

from __future__ import annotations

import copy
import dataclasses
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

Place = tuple[CodeType, int]
"""A code object and the offset of an instruction in it: a line that is looked up only when needed."""


class TapeEntry:
    """One call: of an outermost module, of a torch function, or of what is one for the tape.

    Attributes:
        number: Its place in the order of all calls.
        window: Backward passes before it.
        call: What was called; a module for an outermost one.
        args: Its arguments, with a `Slot` for each tensor that an earlier call made, a `Data` for each that came from
            outside, a `Lost` for one that nothing on the tape made, and parameters as they are.
        needs: The slots among its arguments.
        leaves: The tensors among its arguments that learn.
        lost: What among its arguments, or those of the calls that it needs, nothing on the tape made.
        place: The user's line.
        grad: Whether gradients were enabled.
        autocast: The state of autocast; None where it was off.
        random: The generators that the call may have drawn from, with their states before it.
        training: The mode of the module that was called.
        buffers: Those of the module that the call changed: owner, name and the values before it.
        parameters: The module's.
        sequence: The number of the first autograd node that it made.
    """

    number: int
    window: int
    call: Any
    args: list[Any]
    kwargs: Mapping[str, Any] = MappingProxyType({})
    place: Place | None
    grad: bool
    autocast: Autocast | None
    sequence: int
    lost: Lost | None = None
    random: tuple[Any, ...] = ()
    training: bool | None = None
    buffers: tuple[tuple[nn.Module, str, Tensor], ...] = ()
    parameters: list[Tensor] | tuple[()] = ()

    def __init__(self) -> None:
        self.needs: list[Slot] = []
        self.leaves: list[Tensor] = []

    def emptied(self) -> TapeEntry:
        """What was called, without what it was given."""
        made = TapeEntry.__new__(TapeEntry)
        made.__dict__.update(self.__dict__)
        made.args, made.kwargs, made.needs, made.random, made.buffers = [], MappingProxyType({}), [], (), ()
        return made


Autocast = tuple[tuple[tuple[str, bool, torch.dtype], ...], bool, int]
"""Device types with their state and dtype, whether casts are kept, and the number of the region that keeps them."""


class Slot(weakref.ref):  # type: ignore[type-arg]
    """A tensor that a call made, by weak identity.

    Attributes:
        entry: The call.
        index: The tensor's place among the tensors of its results; a `Made` for one that a module's call made and did
            not return; None for one that was there before and that the call wrote into, which `was` refers to.
        learns: Whether it is part of a graph.
        home: The tensors that share its memory, where others do.
    """

    entry: TapeEntry
    index: int | NodeOutput | None
    learns: bool
    key: int
    was: Slot | Data | None = None
    home: list[int] | None = None


class NodeOutput:
    """A tensor by the autograd node that made it: counted from the first node of its call, and the node's output."""

    __slots__ = ("number", "output")

    def __init__(self, number: int, output: int) -> None:
        self.number, self.output = number, output


class Data:
    """A tensor from outside, and its version when it was used.

    `source` is the id and the version of the tensor that it is a copy of, where it is one.
    """

    __slots__ = ("source", "tensor", "version")

    def __init__(self, tensor: Tensor, source: tuple[int, int] | None = None) -> None:
        self.tensor, self.source = tensor, source
        self.version = version_of(tensor)

    @property
    def moved(self) -> bool:
        """Whether it was written into since."""
        return version_of(self.tensor) != self.version

    def keep(self, copy: Tensor) -> None:
        """Let a copy of the values stand for it from now on."""
        self.tensor, self.version = copy, version_of(copy)


class Lost:
    """A tensor with a graph that nothing on the tape made; the tensor itself would keep that graph alive."""

    __slots__ = ("node", "shape")

    def __init__(self, tensor: Tensor) -> None:
        self.shape = tuple(tensor.shape)
        self.node = type(tensor.grad_fn).__name__

    @property
    def told(self) -> str:
        """In words what it is."""
        return f"a tensor of shape {list(self.shape)} ({self.node}) was made by nothing that was seen"


class Rebuilt:
    """An object that holds tensors: a shallow copy of it gets these items, or attributes."""

    __slots__ = ("attributes", "parts", "value")

    def __init__(self, value: Any, parts: dict[Any, Any], attributes: bool) -> None:
        self.value, self.parts, self.attributes = value, parts, attributes

    def made(self, parts: dict[Any, Any]) -> Any:
        """The object with these parts in place of its own."""
        new = copy.copy(self.value)
        for key, part in parts.items():
            if self.attributes:
                object.__setattr__(new, key, part)
            else:
                new[key] = part
        return new


def version_of(tensor: Tensor) -> int:
    """How often a tensor was written into, as far as torch counts; -1 where it does not."""
    try:
        return tensor._version
    except RuntimeError:  # a tensor of inference mode
        return -1


def memory_of(tensor: Tensor) -> int:
    """Where a tensor's memory begins; 0 where it has none of its own."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError, ValueError):
        return 0


ATOMS = frozenset(
    (int, float, bool, str, bytes, type(None), torch.dtype, torch.device, torch.Size, torch.memory_format, slice, type)
)
"""Classes of what is nothing but itself."""
_DEEPEST = 6


def holds(value: Any) -> dict[Any, Any] | None:
    """The attributes of an instance that tensors may be among; None for what is nothing but itself."""
    if isinstance(value, (nn.Module, type, torch.Generator, torch.optim.Optimizer)) or callable(value):
        return None
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    try:
        return dict(object.__getattribute__(value, "__dict__"))
    except AttributeError:
        return None


def flat(value: Any, depth: int = _DEEPEST) -> list[Tensor]:
    """Every tensor in what a call returned, always in the same order."""
    found: list[Tensor] = []
    _flatten(value, found, depth)
    return found


def _flatten(value: Any, found: list[Tensor], depth: int) -> None:
    kind = type(value)
    if kind in ATOMS or not depth:
        return
    if isinstance(value, Tensor):
        found.append(value)
        return
    parts: Iterable[Any]
    if isinstance(value, (tuple, list)):
        parts = value
    elif isinstance(value, Mapping):
        parts = value.values()
    else:
        parts = (holds(value) or {}).values()
    for part in parts:
        _flatten(part, found, depth - 1)


class Taker:
    """Takes calls' arguments down: `data` and `lost` say how tensors are, that no slot refers to."""

    def __init__(self, slots: dict[int, Slot], data: Callable[[Tensor], Data], lost: Callable[[Tensor], Any]) -> None:
        self._slots, self._data, self._lost = slots, data, lost

    def take(self, value: Any, entry: TapeEntry, depth: int = _DEEPEST) -> Any:
        """The same value as the tape keeps it; the entry notes what is in it."""
        kind = type(value)
        if kind in ATOMS:
            return value
        if isinstance(value, Tensor):
            slot = self._slots.get(id(value))
            if slot is None:
                return self._tensor(value, entry)
            entry.needs.append(slot)
            return slot
        if kind is tuple or kind is list:
            return kind([part if type(part) in ATOMS else self.take(part, entry, depth - 1) for part in value])
        if kind is dict:
            return {key: self.take(part, entry, depth - 1) for key, part in value.items()}
        return self._object(value, entry, depth - 1) if depth > 0 else value

    def _tensor(self, tensor: Tensor, entry: TapeEntry) -> Any:
        if not tensor.requires_grad:
            return self._data(tensor)
        if tensor.is_leaf:
            entry.leaves.append(tensor)
            return tensor
        found = self._lost(tensor)
        if isinstance(found, Slot):
            entry.needs.append(found)
        else:
            entry.lost = found
        return found

    def _object(self, value: Any, entry: TapeEntry, depth: int) -> Any:
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return Named(type(value), tuple(self.take(part, entry, depth) for part in value))
        if isinstance(value, (tuple, list)):
            return Named(list if isinstance(value, list) else tuple, [self.take(part, entry, depth) for part in value])
        mapping = isinstance(value, Mapping)
        parts = dict(value.items()) if mapping else holds(value)
        if not parts:
            return value
        taken = {key: self.take(part, entry, depth) for key, part in parts.items()}
        changed = {key: part for key, part in taken.items() if part is not parts[key]}
        return Rebuilt(value, changed, not mapping) if changed else value


class Named:
    """A tuple of a class of its own."""

    __slots__ = ("kind", "parts")

    def __init__(self, kind: type, parts: Any) -> None:
        self.kind, self.parts = kind, parts

    def made(self, parts: list[Any]) -> Any:
        """It, of these parts."""
        return self.kind(*parts) if hasattr(self.kind, "_fields") else self.kind(parts)


def parts_of(taken: Any) -> Iterator[Any]:
    """All that a call's arguments are made of, as the tape keeps them, in order."""
    stack = [taken]
    while stack:
        value = stack.pop()
        if isinstance(value, (dict, MappingProxyType)):
            stack += reversed(list(value.values()))
        elif isinstance(value, (tuple, list)):
            stack += reversed(value)
        elif isinstance(value, Named):
            stack += reversed(list(value.parts))
        elif isinstance(value, Rebuilt):
            stack += reversed(list(value.parts.values()))
        else:
            yield value


def data_of(entry: TapeEntry) -> Iterator[Data]:
    """What came from outside among the arguments of a call."""
    for part in parts_of((entry.args, entry.kwargs)):
        if isinstance(part, Data):
            yield part
