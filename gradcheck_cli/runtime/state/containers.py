"""Give containers and instances back the very objects that they held.

It writes only where something changed: a class may forbid it, as diffusers' FrozenDict does. And it writes past the
class's own methods, which may do more than that.
"""

from __future__ import annotations

import io
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from operator import is_
from types import CellType
from typing import Any

from torch import nn

from gradcheck_cli.runtime.state.objects import UNSET, enters, is_empty, own_dict, slot, slots, slots_of

Undo = Callable[[], None]
Maker = Callable[[Any], Undo]


class Names:
    """Names that code may bind anew: globals, or attributes of a class.

    Args:
        owner: The namespace of a module, or the class.
        names: The names.
    """

    def __init__(self, owner: dict[str, Any] | type, names: tuple[str, ...]) -> None:
        self.owner, self.names = owner, names


def makers(kind: type) -> Iterator[Maker]:
    """What undoes changes of an instance of `kind` from the time when it is called; nothing for what cannot change."""
    for base, maker in _MAKERS.items():
        if issubclass(kind, base):
            yield maker
    if enters(kind):
        yield _undo_attributes
        if slots_of(kind):
            yield _undo_slots


def _undo_items(value: dict[Any, Any]) -> Undo:
    kind: type[dict[Any, Any]] = OrderedDict if isinstance(value, OrderedDict) else dict
    keys, items = (list(kind.keys(value)), list(kind.values(value))) if value else ((), ())

    def undo() -> None:
        if (keys or value) and not (_alike(list(kind.keys(value)), keys) and _alike(list(kind.values(value)), items)):
            kind.clear(value)
            for key, item in zip(keys, items, strict=True):
                kind.__setitem__(value, key, item)

    return undo


def _undo_attributes(value: Any) -> Undo:
    """Also of the empty dictionaries among them, which the walk leaves out."""
    own = own_dict(value)
    undo_items, empty = _undo_items(own), [item for item in own.values() if is_empty(item)]

    def undo() -> None:
        undo_items()
        for item in filter(None, empty):
            item.clear()

    return undo


def _undo_factory(value: defaultdict[Any, Any]) -> Undo:
    factory = value.default_factory

    def undo() -> None:
        value.default_factory = factory

    return undo


def _undo_list(value: list[Any]) -> Undo:
    saved = list(list.__iter__(value))  # past a method of the user's, as what is written is

    def undo() -> None:
        if not _alike(list(list.__iter__(value)), saved):
            list.__setitem__(value, slice(None), saved)

    return undo


def _undo_deque(value: deque[Any]) -> Undo:
    saved = list(deque.__iter__(value))

    def undo() -> None:
        if not _alike(list(deque.__iter__(value)), saved):
            deque.clear(value)
            deque.extend(value, saved)

    return undo


def _undo_set(value: set[Any]) -> Undo:
    saved = set(value)

    def undo() -> None:
        if set(value) != saved:
            set.clear(value)
            set.update(value, saved)

    return undo


def _undo_bytes(value: bytearray) -> Undo:
    saved = bytes(value)

    def undo() -> None:
        if value != saved:
            value[:] = saved

    return undo


def _undo_slots(value: Any) -> Undo:
    saved = slots(value)

    def undo() -> None:
        for name, item in saved:
            if slot(value, name) is item:
                continue
            if item is UNSET:
                object.__delattr__(value, name)
            else:
                object.__setattr__(value, name, item)

    return undo


def _undo_class(module: nn.Module) -> Undo:
    """A lazy module becomes a usual one in its first forward pass."""
    kind = module.__class__

    def undo() -> None:
        if module.__class__ is not kind:
            module.__class__ = kind

    return undo


def _alike(now: Sequence[Any], before: Sequence[Any]) -> bool:
    """Whether they hold the very same objects in the same order."""
    return len(now) == len(before) and all(map(is_, now, before))


def _undo_stream(value: Any) -> Undo:
    """A file in memory: what it holds, and where it is read or written next."""
    text, place = value.getvalue(), value.tell()

    def undo() -> None:
        if value.getvalue() != text:
            value.seek(0)
            value.truncate()
            value.write(text)
        value.seek(place)

    return undo


def _undo_names(value: Names) -> Undo:
    owner = value.owner
    space = owner if isinstance(owner, dict) else vars(owner)
    saved = [(name, space.get(name, UNSET)) for name in value.names]

    def undo() -> None:
        for name, item in saved:
            if space.get(name, UNSET) is item:
                continue
            if isinstance(owner, dict):
                owner.pop(name, None)
                owner.update(() if item is UNSET else {name: item})
            elif item is UNSET:
                type.__delattr__(owner, name)
            else:
                type.__setattr__(owner, name, item)

    return undo


def _undo_cell(value: CellType) -> Undo:
    """A variable that a function closes over, and may bind anew."""
    try:
        saved = value.cell_contents
    except ValueError:  # it is filled later
        saved = UNSET

    def undo() -> None:
        if saved is not UNSET:
            value.cell_contents = saved

    return undo


_MAKERS: dict[type, Maker] = {
    dict: _undo_items,
    defaultdict: _undo_factory,
    list: _undo_list,
    deque: _undo_deque,
    set: _undo_set,
    bytearray: _undo_bytes,
    io.StringIO: _undo_stream,
    io.BytesIO: _undo_stream,
    nn.Module: _undo_class,
    Names: _undo_names,
    CellType: _undo_cell,
}
