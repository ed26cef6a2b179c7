"""What the tensors from outside are called: as the function takes them that the script gave them to."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from gradcheck_cli.watch.entries import Data, Named, Rebuilt, TapeEntry

_FUNCTIONS = "torch.nn.functional"


def names_of(tensors: Mapping[int, Tensor], entries: Sequence[TapeEntry]) -> dict[str, Tensor]:
    """Tensors by their names, in their order.

    A tensor is called as a module's `forward` calls it that it was given to, by its key where that was in a mapping;
    else as a function of torch.nn.functional does, such as `target`; else by its place.

    Args:
        tensors: By their ids.
        entries: The calls that they were given to, in order.
    """
    called: dict[int, str] = {}
    for entry in sorted(entries, key=lambda entry: not isinstance(entry.call, nn.Module)):
        for name, key in _arguments(entry):
            called.setdefault(key, name)
    named: dict[str, Tensor] = {}
    for place, (key, tensor) in enumerate(tensors.items()):
        name = called.get(key, str(place))
        while name in named:
            name = f"{name}_{place}"
        named[name] = tensor
    return named


def _arguments(entry: TapeEntry) -> Iterator[tuple[str, int]]:
    """The names of what a call was given, each with the id of its tensor."""
    call = entry.call.forward if isinstance(entry.call, nn.Module) else entry.call
    if not isinstance(entry.call, nn.Module) and getattr(call, "__module__", "") != _FUNCTIONS:
        return
    try:
        given = inspect.signature(call).bind_partial(*entry.args, **entry.kwargs).arguments
    except (TypeError, ValueError):  # a scripted module, or one that was called in a way of its own
        return
    for name, value in given.items():
        yield from _tensors(name, value)


def _tensors(name: str, value: Any) -> Iterator[tuple[str, int]]:
    if isinstance(value, Data):
        yield name, id(value.tensor)
    elif isinstance(value, Tensor):
        yield name, id(value)
    elif isinstance(value, Rebuilt):
        yield from _tensors(name, value.parts)
    elif isinstance(value, Named):
        fields = getattr(value.kind, "_fields", None)
        yield from _tensors(name, dict(zip(fields, value.parts, strict=True)) if fields else list(value.parts))
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _tensors(str(key), part)
    elif isinstance(value, (tuple, list)):
        for place, part in enumerate(value):
            yield from _tensors(f"{name}.{place}", part)
