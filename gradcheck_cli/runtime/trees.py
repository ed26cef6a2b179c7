"""Walk whatever nesting of containers a forward pass takes or returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """Every tensor in a nesting of tuples, lists, mappings, dataclasses and packed sequences."""
    for _, tensor in named_tensors(tree):
        yield tensor


def named_tensors(tree: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor with the path that leads to it, such as `0.ids`; a container that holds itself is entered once."""
    path: list[tuple[int, Iterator[tuple[str, Any]]]] = [(0, iter(((name, tree),)))]
    while path:
        key, value = next(path[-1][1], ("", _END))
        if value is _END:
            path.pop()
        elif isinstance(value, Tensor):
            yield key, value
        elif id(value) not in {entered for entered, _ in path}:
            path.append((id(value), _named(value, key)))


def _named(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
    return ((f"{name}.{key}" if name else str(key), value) for key, value in _children(tree))


_END = object()


def _children(tree: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(tree, PackedSequence):
        yield "data", tree.data
    elif isinstance(tree, Mapping):
        yield from tree.items()
    elif isinstance(tree, (tuple, list)):
        yield from enumerate(tree)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in dataclasses.fields(tree):
            yield field.name, getattr(tree, field.name)
    elif hasattr(tree, "to_dict") and hasattr(tree, "num_nodes"):  # a torch-geometric Data
        yield from tree.to_dict().items()
