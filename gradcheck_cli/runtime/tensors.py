"""Tensors of every make: what they hold, its norm, whether it is finite, and their bits to copy and to compare.

Float8, complex32, quantised, sparse, nested, on the meta device, not yet initialised, or of a sub-class that refuses
most functions: none of them makes a function here raise. Where a question has no answer, the answer is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradcheck_cli.runtime import norms
from gradcheck_cli.runtime.norms import Scalar

T = TypeVar("T")

_ROW = 1021
"""Words of a row of a fingerprint. An odd number: the sign bits of an even number of words add up to nothing."""
_WORD = 8
_COMPRESSED = {
    torch.sparse_csr: ("crow_indices", "col_indices"),
    torch.sparse_bsr: ("crow_indices", "col_indices"),
    torch.sparse_csc: ("ccol_indices", "row_indices"),
    torch.sparse_bsc: ("ccol_indices", "row_indices"),
}


class untouched:
    """Inside, torch sees plain tensors: no function of a sub-class or mode is called, no graph is made.

    Written out, not a generator: each step of a watched run enters it many times.
    """

    __slots__ = ("_hidden", "_learning")

    def __enter__(self) -> None:
        self._hidden = torch._C.DisableTorchFunction()
        self._hidden.__enter__()
        self._learning = torch.is_grad_enabled()
        torch._C._set_grad_enabled(False)

    def __exit__(self, *raised: object) -> None:
        torch._C._set_grad_enabled(self._learning)
        self._hidden.__exit__(None, None, None)


# -- values


def local(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor that is spread over several (a DTensor, as of FSDP); any other itself.

    Nothing is asked of the other processes, which may be elsewhere.
    """
    shard: Callable[[], Tensor] | None = getattr(tensor, "to_local", None)
    return tensor if shard is None else shard()


def values(tensor: Tensor) -> Tensor | None:
    """The numbers that `tensor` holds, without its graph, as a tensor that torch can calculate with.

    What a sparse one does not store is left out. None where there are no numbers, or none that can be read.
    """
    return _answer(_values, tensor)


def norm(tensor: Tensor) -> Scalar | None:
    """The L2 norm over all elements, exact over the whole range of the dtype."""
    return _answer(lambda t: norms.norm(_readable(t)), tensor)


def gradient_norm(gradient: Tensor) -> Scalar:
    """The same of a gradient, which is a plain tensor nearly always; 0 where it cannot be told."""
    if type(gradient) is Tensor and gradient.layout is torch.strided and not gradient.is_nested:
        return norms.norm(gradient)
    found = norm(gradient)
    return 0.0 if found is None else found


def extreme(tensor: Tensor) -> Scalar | None:
    """The largest |x|; NaN where there is one."""
    return _answer(lambda t: norms.extreme(_readable(t)), tensor)


def is_finite(tensor: Tensor) -> bool | None:
    """Whether `tensor` holds neither NaN nor Inf."""
    return _answer(lambda t: bool(torch.isfinite(_readable(t)).all()), tensor)


def shape(tensor: Tensor) -> tuple[int, ...]:
    """The sizes; -1 for one that differs between the parts of a nested tensor, () before it is initialised."""
    return _answer(_shape, tensor) or ()


def numel(tensor: Tensor) -> int:
    """The number of elements; of the stored ones where torch does not count the others."""
    return _answer(lambda t: int((_readable(t) if t.is_nested else t).numel()), tensor) or 0


_PLAIN = (Tensor, nn.Parameter)


def _answer(question: Callable[[Tensor], T], tensor: Tensor) -> T | None:
    plain = type(tensor) in _PLAIN and not torch._C._len_torch_function_stack()
    with nullcontext() if plain else untouched():  # entering it takes longer than most questions
        try:
            return question(tensor)
        except Exception:  # a sub-class may raise what it likes
            return None


def _values(tensor: Tensor) -> Tensor | None:
    if is_lazy(tensor) or tensor.is_meta:
        return None
    plain = _stored(tensor.detach())
    if type(plain) is not Tensor and not hasattr(plain, "__tensor_flatten__"):
        plain = plain.as_subclass(Tensor)
    if plain.is_floating_point() and plain.dtype.itemsize == 1:
        return plain.float()
    if plain.dtype is torch.complex32:
        return plain.to(torch.complex64)
    if plain.dtype in (torch.uint16, torch.uint32, torch.uint64):  # they can be kept, and little else
        return plain.double()
    return plain.resolve_conj().resolve_neg()


def _stored(tensor: Tensor) -> Tensor:
    if tensor.is_quantized:
        return tensor.dequantize()
    if tensor.layout is torch.sparse_coo:
        return tensor.coalesce().values()
    if tensor.is_nested or tensor.layout in _COMPRESSED:
        return tensor.values()
    return tensor if tensor.layout is torch.strided else tensor.to_dense()


def _readable(tensor: Tensor) -> Tensor:
    found = _values(tensor)
    if found is None:
        raise ValueError("there is nothing to read")
    return found


def _shape(tensor: Tensor) -> tuple[int, ...]:
    if not tensor.is_nested:
        return tuple(int(size) for size in tensor.shape)
    sizes = [tuple(part.shape) for part in tensor.detach().unbind()]
    return len(sizes), *(same[0] if len(set(same)) == 1 else -1 for same in zip(*sizes, strict=True))


# -- bits


class Bits(NamedTuple):
    """A stretch of memory: whole words, and the up to seven bytes at the end of a storage that make none.

    Bits that were taken of a tensor share its memory; `copied` ones have their own.
    """

    words: Tensor
    rest: Tensor

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells one stretch of memory from another."""
        return self.words.device, self.words.data_ptr() or self.rest.data_ptr(), self.nbytes

    @property
    def nbytes(self) -> int:
        """Its length in bytes."""
        return self.words.numel() * _WORD + self.rest.numel()


def bits(tensor: Tensor) -> tuple[Bits, ...] | None:
    """The memory behind `tensor`: () where it has none, None where torch does not show it."""
    return _answer(lambda t: tuple(_stretch(part) for part in _parts(t)), tensor)


def copied(found: Bits) -> Bits:
    """The same bits in other memory."""
    return Bits(found.words.clone(), found.rest.clone())


def same(found: Bits, before: Bits) -> bool:
    """Whether the bits are still those of the copy: -0.0 is not 0.0, and one NaN is not the other."""
    return torch.equal(found.words, before.words) and torch.equal(found.rest, before.rest)


def put_back(found: Bits, before: Bits) -> None:
    """Write the bits of the copy where they came from."""
    found.words.copy_(before.words)
    found.rest.copy_(before.rest)


def fits(found: Bits) -> bool:
    """Whether its storage is still long enough: reading past one that was resized ends the process."""
    return all(part.untyped_storage().nbytes() >= _end(part) for part in found)


def make_room(found: Bits) -> None:
    """Give a storage that was made shorter its length again."""
    for part in found:
        if part.untyped_storage().nbytes() < _end(part):
            part.untyped_storage().resize_(_end(part))


def _end(part: Tensor) -> int:
    return int((part.storage_offset() + part.numel()) * part.element_size())


class Fingerprint(NamedTuple):
    """Sums of the words by rows and by columns, and a copy of what makes no whole row.

    A change that it does not show would have to cancel in every row and in every column. It takes 1/1021 of the
    memory and is ten times as fast as a copy, which has new pages to be given.
    """

    rows: Tensor
    columns: Tensor
    rest: Bits


def fingerprint(found: Bits) -> Fingerprint:
    """The fingerprint of a stretch of memory."""
    whole = found.words.numel() // _ROW * _ROW
    table = found.words[:whole].view(-1, _ROW)
    return Fingerprint(table.sum(1), table.sum(0), copied(Bits(found.words[whole:], found.rest)))


def agree(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether two fingerprints are the same."""
    return torch.equal(one.rows, other.rows) and torch.equal(one.columns, other.columns) and same(one.rest, other.rest)


def _parts(tensor: Tensor) -> Iterator[Tensor]:
    """The strided tensors that hold what `tensor` holds."""
    if is_lazy(tensor) or tensor.is_meta:
        return
    plain = tensor.detach()
    if plain.layout is torch.sparse_coo:
        yield from (plain._indices(), plain._values())
    elif plain.layout in _COMPRESSED:
        yield from (getattr(plain, name)() for name in (*_COMPRESSED[plain.layout], "values"))
    elif hasattr(plain, "__tensor_flatten__"):
        for name in plain.__tensor_flatten__()[0]:
            yield from _parts(getattr(plain, name))
    else:
        yield plain.values() if plain.is_nested else plain


def _stretch(tensor: Tensor) -> Bits:
    storage, width = tensor.untyped_storage(), tensor.element_size()
    storage.data_ptr()  # raises where there is no memory behind it
    first = tensor.storage_offset() * width
    last = first + (sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True)) + 1) * width
    if not tensor.numel():
        first = last = 0
    start, end = first // _WORD * _WORD, min(math.ceil(last / _WORD) * _WORD, storage.nbytes())
    whole = (end - start) // _WORD
    return Bits(
        _view(storage, torch.int64, start // _WORD, whole),
        _view(storage, torch.uint8, start + whole * _WORD, end - start - whole * _WORD),
    )


def _view(storage: torch.UntypedStorage, dtype: torch.dtype, offset: int, length: int) -> Tensor:
    empty = torch.empty(0, dtype=dtype, device=storage.device)
    return empty.set_(storage, offset, (length,)) if length else empty  # type: ignore[call-overload]
