"""Data files and synthetic specs as batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.records.spec import CheckSpec, Samples
from gradcheck_cli.suffixes import CSV, NPY, PICKLES, SAFETENSORS, suffix_of
from gradcheck_cli.target.code.accepts import TARGET_NAMES, Accepts, accepts
from gradcheck_cli.target.code.references import is_data_file
from gradcheck_cli.target.code.usercode import user_code
from gradcheck_cli.target.data.batching import take
from gradcheck_cli.target.data.csvfile import columns, read_csv
from gradcheck_cli.target.data.storage import read_npy, read_npz, read_pt, read_safetensors
from gradcheck_cli.target.data.tensorspec import FLOATS, INTEGERS, TensorSpec, parse_tensor
from gradcheck_cli.words import listing

_INPUT_KEYS = ("x", "inputs", "input", "images", "image", "features", "data", "x_train")
_TARGET_KEYS = (*TARGET_NAMES, "y_train")
# A data file is often a whole data set; this many rows show the gradients as well.
_ROWS = 256


def file_batches(spec: CheckSpec, path: str, model: nn.Module) -> tuple[list[Any], str]:
    """Read batches from a data file, and say what was read.

    Raises:
        UsageError: There is no such target column.
        TargetError: The file cannot be read or holds nothing usable.
    """
    suffix = suffix_of(path)
    if suffix in PICKLES:
        stored = read_pt(path, trust_pickle=spec.trust_pickle)
        return take(stored, spec.batches, path), path
    if suffix == CSV:
        inputs, target = read_csv(path, spec.target_column)
        return _rows(inputs if target is None else (inputs, target), spec.batches, path)
    if suffix == NPY:
        return _rows(read_npy(path, trust_pickle=spec.trust_pickle), spec.batches, path)
    named = read_safetensors(path) if suffix == SAFETENSORS else read_npz(path, trust_pickle=spec.trust_pickle)
    batch, unused = _by_name(named, path, model)
    batches, told = _rows(batch, spec.batches, path)
    return batches, f"{told} (not used: {listing(unused)})" if unused else told


def file_samples(spec: CheckSpec, path: str, count: int) -> tuple[Samples, ...]:
    """Where the samples of each batch of a table come from, by line and with the columns' names; () of other files.

    Raises:
        UsageError: There is no such target column.
        TargetError: The file cannot be read.
    """
    if suffix_of(path) != CSV:
        return ()
    names = columns(path, spec.target_column)
    first = 2 if names else 1
    return tuple(Samples(kind="line", holder=path, first=first + i * _ROWS, columns=names) for i in range(count))


def described_batches(spec: CheckSpec, model: nn.Module) -> list[Any]:
    """Make the batches of --input and --target, each a spec to draw from or a data file.

    Raises:
        TargetError: A file cannot be read, or unnamed inputs are more than the forward takes.
    """
    return [_described(spec, model) for _ in range(spec.batches)]


def target_tensor(spec: CheckSpec) -> Any:
    """Make the tensor of --target.

    Raises:
        TargetError: Its file cannot be read.
    """
    return None if spec.target is None else _tensor(spec.target, "--target", spec)[1]


def _described(spec: CheckSpec, model: nn.Module) -> Any:
    _check_count(spec, accepts(model))
    drawn = [_tensor(text, "--input", spec) for text in spec.inputs]
    target = target_tensor(spec)
    if not any(name for name, _ in drawn):
        tensors = tuple(tensor for _, tensor in drawn)
        inputs = tensors if len(tensors) > 1 else tensors[0]
        return (inputs, target)
    free = (name for name in accepts(model).positional if name not in dict(drawn))
    named = {name or next(free, ""): tensor for name, tensor in drawn}
    if "" in named:
        raise TargetError("an --input has no name, and the forward takes no more by place", hint="Write NAME=SPEC.")
    return named if target is None else (named, target)


def _check_count(spec: CheckSpec, takes: Accepts) -> None:
    if len(spec.inputs) > len(takes.positional) and not takes.any_positional and not takes.any_keyword:
        raise UsageError(
            f"--input is given {len(spec.inputs)} times, and forward() takes {len(takes.positional)}",
            hint=f"It takes {listing(takes.positional)}." if takes.positional else "It takes nothing.",
        )


def _tensor(text: str, option: str, spec: CheckSpec) -> tuple[str, Any]:
    if not is_data_file(text):
        parsed = parse_tensor(text, option)
        with user_code(f"drawing {option} {text}"):
            return parsed.name, draw(parsed)
    suffix = suffix_of(text)
    if suffix == NPY:
        return "", read_npy(text, trust_pickle=spec.trust_pickle)
    if suffix in PICKLES:
        return "", read_pt(text, trust_pickle=spec.trust_pickle)
    raise UsageError(f"{option} takes one tensor: a .npy or .pt file", hint=f"For {text} write --batch {text}.")


def draw(spec: TensorSpec) -> torch.Tensor:
    """Draw a tensor: floats normal(0, 1), integers 0 or 1, or uniform in the spec's range."""
    dtype: torch.dtype = getattr(torch, spec.dtype)
    if spec.dtype in INTEGERS or spec.dtype == "bool":
        low, high = spec.bounds or (0, 2)
        return torch.randint(int(low), int(high), spec.shape).to(dtype)
    if spec.bounds is not None and spec.dtype in FLOATS:
        low, high = spec.bounds
        return (torch.rand(spec.shape) * (high - low) + low).to(dtype)
    return torch.randn(spec.shape, dtype=dtype)


def _by_name(named: Mapping[str, torch.Tensor], path: str, model: nn.Module) -> tuple[Any, list[str]]:
    """The batch in named arrays: by the usual names, else by forward's, else in order."""
    if not named:
        raise TargetError(f"{path} holds no arrays", hint="Save the inputs as `x` and the target as `y`.")
    lower = {name.lower(): name for name in named}
    x = next((lower[key] for key in _INPUT_KEYS if key in lower), None)
    y = next((lower[key] for key in _TARGET_KEYS if key in lower), None)
    takes = accepts(model)
    inputs = [name for name in named if name != y]
    if set(inputs) <= takes.names:
        kwargs = {name: named[name] for name in inputs}
        return (kwargs if y is None else (kwargs, named[y])), []
    if x is not None:
        batch = named[x] if y is None else (named[x], named[y])
        return batch, [name for name in named if name not in (x, y)]
    last = y or (inputs.pop() if len(inputs) > 1 else None)
    return (tuple(named[name] for name in inputs), None if last is None else named[last]), []


def _rows(batch: Any, count: int, path: str) -> tuple[list[Any], str]:
    """Cut arrays with one row a sample into batches."""
    leaves = list(_leaves(batch))
    rows = leaves[0].shape[0] if leaves[0].ndim else 0
    if rows <= _ROWS or any(leaf.shape[:1] != (rows,) for leaf in leaves):
        return [batch], path
    starts = range(0, min(rows, count * _ROWS), _ROWS)
    taken = min(rows, count * _ROWS)
    return [_slice(batch, start) for start in starts], f"the first {taken} of {rows} rows of {path}"


def _leaves(batch: Any) -> list[torch.Tensor]:
    if isinstance(batch, torch.Tensor):
        return [batch]
    items = batch.values() if isinstance(batch, Mapping) else batch
    return [leaf for item in items if item is not None for leaf in _leaves(item)]


def _slice(batch: Any, start: int) -> Any:
    if batch is None:
        return None
    if isinstance(batch, torch.Tensor):
        return batch[start : start + _ROWS]
    if isinstance(batch, Mapping):
        return {name: _slice(item, start) for name, item in batch.items()}
    return tuple(_slice(item, start) for item in batch)
