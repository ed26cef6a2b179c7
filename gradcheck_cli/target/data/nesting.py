"""Any nesting of containers: move its tensors, walk over them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np
import torch

from gradcheck_cli.target.data.storage import to_tensor


def move(value: Any, device: torch.device | None, dtype: torch.dtype | None = None) -> Any:
    """Return `value` with its tensors on `device` and its floating tensors in `dtype`; types are kept.

    NumPy arrays become tensors. The containers of `value` are not altered.
    """
    if isinstance(value, torch.Tensor):
        moved: torch.Tensor = value.to(device=device, dtype=dtype if value.is_floating_point() else None)
        return torch.clone(moved) if torch.is_inference(moved) else moved  # autograd cannot save an inference tensor
    if isinstance(value, np.ndarray):
        return move(to_tensor(value, "the batch"), device, dtype)
    for matches, mover in _CONTAINERS:
        if matches(value):
            return mover(value, device, dtype)
    return value


def is_sequence(value: Any) -> bool:
    """Whether `value` is a plain container; a PackedSequence is a tuple too, but one thing."""
    return isinstance(value, (tuple, list)) and not callable(getattr(value, "to", None))


def is_dataclass(value: Any) -> bool:
    """Whether `value` is an instance of a dataclass."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in a nesting, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors(item)
    elif is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from tensors(getattr(value, field.name, None))


def batch_size(batch: Any) -> int | None:
    """The number of samples: graphs of a graph batch, else the first size of the first tensor."""
    graphs = getattr(batch, "num_graphs", None)
    if isinstance(graphs, int):
        return graphs
    if isinstance(batch, torch.nn.utils.rnn.PackedSequence):
        return int(batch.batch_sizes[0])
    if is_sequence(batch) and len(batch) > 0:
        return batch_size(batch[0])
    return next((_length(tensor) for tensor in tensors(batch) if tensor.ndim > 0), None)


def _length(tensor: torch.Tensor) -> int:
    return len(tensor.unbind()) if tensor.is_nested else tensor.shape[0]


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _has_to(value: Any) -> bool:
    return callable(getattr(value, "to", None)) and not isinstance(value, type)


def _move_sequence(value: Any, device: torch.device | None, dtype: torch.dtype | None) -> Any:
    moved = [move(item, device, dtype) for item in value]
    return type(value)(*moved) if hasattr(value, "_fields") else type(value)(moved)


def _move_mapping(value: Mapping[Any, Any], device: torch.device | None, dtype: torch.dtype | None) -> Any:
    moved = {key: move(item, device, dtype) for key, item in value.items()}
    if not isinstance(value, MutableMapping):
        return type(value)(moved)  # type: ignore[call-arg]
    # Into a copy: a BatchEncoding or ModelOutput carries more than its items.
    result = copy.copy(value)
    for key, item in moved.items():
        result[key] = item
    return result


def _move_object(value: Any, device: torch.device | None, dtype: torch.dtype | None) -> Any:
    # A shallow copy first: `.to` of a graph works in place.
    moved = copy.copy(value)
    if device is not None:
        result = moved.to(device)
        moved = moved if result is None else result
    if dtype is None:
        return moved
    if callable(getattr(moved, "apply", None)):
        return moved.apply(lambda item: move(item, None, dtype))
    return moved.to(dtype)


def _move_dataclass(value: Any, device: torch.device | None, dtype: torch.dtype | None) -> Any:
    result = copy.copy(value)
    for field in dataclasses.fields(value):
        # Past __setattr__: the class may be frozen.
        object.__setattr__(result, field.name, move(getattr(value, field.name), device, dtype))
    return result


# In this order: a BatchEncoding is a mapping with a `.to`, a PackedSequence a tuple with one.
_CONTAINERS: tuple[tuple[Callable[[Any], bool], Callable[..., Any]], ...] = (
    (_is_mapping, _move_mapping),
    (is_sequence, _move_sequence),
    (_has_to, _move_object),
    (is_dataclass, _move_dataclass),
)
