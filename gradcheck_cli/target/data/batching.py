"""Turn whatever holds data (a value, a function, a DataLoader, a Dataset, a generator) into batches."""

from __future__ import annotations

import inspect
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, SequentialSampler, default_collate

from gradcheck_cli.errors import TargetError
from gradcheck_cli.records.spec import Samples
from gradcheck_cli.target.code.signatures import required
from gradcheck_cli.target.code.usercode import user_code
from gradcheck_cli.words import listing

# Samples of a dataset that make a batch: torch's most usual batch size.
DATASET_BATCH = 32


def take(value: Any, count: int, label: str) -> list[Any]:
    """Return the first `count` batches of `value`, fewer where it holds fewer.

    Raises:
        TargetError: It is empty, is no batch, or is a function that needs arguments.
        UserCodeError: The user's code raised while it made a batch.
    """
    return read(value, count, label).batches


class ReadBatches(NamedTuple):
    """Batches that were read.

    `whole` is the list itself where it may be one batch as well as a list of them; `samples` says where those of each
    batch come from, where they were drawn in the order of a data set.
    """

    batches: list[Any]
    whole: list[Any] | None
    samples: tuple[Samples, ...]


def read(value: Any, count: int, label: str) -> ReadBatches:
    """As `take`, with what is known of them.

    Raises:
        TargetError: As `take`.
        UserCodeError: As `take`.
    """
    with user_code(f"reading a batch from {label}"):
        held = _called(value, label)
        batches = list(itertools.islice(_batches(held, label), count))
    if not batches:
        raise TargetError(f"{label} is empty: it gave no batch", hint=_empty_hint(value))
    size = _in_order(held)
    samples = tuple(Samples(kind="item", holder=label, first=i * size) for i in range(len(batches))) if size else ()
    return ReadBatches(batches, held if _is_list_of_batches(held) else None, samples)


def _in_order(held: Any) -> int:
    """How many samples a batch takes, one after the other, from a data set; 0 where they are drawn in another way."""
    if isinstance(held, DataLoader):
        plain = type(held.batch_sampler) is BatchSampler and isinstance(held.sampler, SequentialSampler)
        return held.batch_size or 0 if plain else 0
    is_dataset = (isinstance(held, Dataset) and not isinstance(held, IterableDataset)) or _is_like_dataset(held)
    return DATASET_BATCH if is_dataset and not isinstance(held, Iterator) else 0


def _called(value: Any, label: str) -> Any:
    if not inspect.isroutine(value) and not inspect.isclass(value) and not _is_maker(value):
        return value
    missing = required(value)
    if missing:
        raise TargetError(
            f"{label} needs {listing(missing)}", hint="A function that makes the batch takes no arguments."
        )
    return value()


def _is_maker(value: Any) -> bool:
    """Whether an object can be called and nothing else that a batch may come from."""
    listed = isinstance(value, (Iterable, Dataset, nn.Module)) or _is_like_dataset(value)
    return callable(value) and not listed and not _is_one_batch(value)


def _batches(value: Any, label: str) -> Iterator[Any]:
    if isinstance(value, (DataLoader, Iterator)):
        return iter(value)
    if isinstance(value, Dataset) or _is_like_dataset(value):
        return _collated(value)
    if _is_list_of_batches(value) or _is_loader(value):
        return iter(value)
    if value is None or isinstance(value, (str, bytes, bool, int, float, nn.Module)):
        told = f"a module ({type(value).__name__})" if isinstance(value, nn.Module) else f"{value!r:.60}"
        raise TargetError(
            f"{label} is {told}, which is no batch",
            hint="A batch is a tensor, (inputs, target), a dict of keywords, a DataLoader or a Dataset.",
        )
    return itertools.repeat(value, 1)


def _is_list_of_batches(value: Any) -> bool:
    """A list of tuples or of dicts; a list that holds tensors is one batch."""
    return isinstance(value, list) and all(isinstance(item, (tuple, Mapping)) for item in value)


def _is_loader(value: Any) -> bool:
    """An iterable of batches that is neither a tensor, a container nor a graph."""
    return isinstance(value, Iterable) and not _is_one_batch(value)


def _is_like_dataset(value: Any) -> bool:
    """A data set of another library, or a plain class, whose samples are had by index."""
    return hasattr(value, "__getitem__") and hasattr(value, "__len__") and not _is_one_batch(value)


def _is_one_batch(value: Any) -> bool:
    container = isinstance(value, (torch.Tensor, tuple, list, Mapping, str, bytes))
    return container or hasattr(value, "shape") or hasattr(value, "to")


def _collated(dataset: Any) -> Iterator[Any]:
    samples = iter(dataset) if isinstance(dataset, IterableDataset) else (dataset[i] for i in range(len(dataset)))
    while chunk := list(itertools.islice(samples, DATASET_BATCH)):
        yield _collate(chunk)


def _collate(samples: list[Any]) -> Any:
    # Graphs join into one big graph; only a user of torch_geometric has imported it by now.
    geometric = sys.modules.get("torch_geometric.data")
    if geometric is not None and hasattr(samples[0], "edge_index"):
        return geometric.Batch.from_data_list(samples)
    return default_collate(samples)


def _empty_hint(value: Any) -> str:
    if isinstance(value, DataLoader) and value.drop_last:
        return "drop_last=True drops the only batch when there are fewer samples than the batch size."
    return "Check the data's path and its filters."
