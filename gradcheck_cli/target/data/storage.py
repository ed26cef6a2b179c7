"""Read data files: .pt, .npy, .npz, .safetensors; nothing is unpickled unless the user trusts it."""

from __future__ import annotations

import math
import pickle
import re
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from gradcheck_cli.errors import TargetError
from gradcheck_cli.records.size import size_in_words
from gradcheck_cli.target.code.locating import located
from gradcheck_cli.target.code.usercode import message_of

# How torch.load(weights_only=True) words a refusal, as opposed to a file that it cannot read.
_REFUSED = re.compile(r"Unsupported (?:global|class|operand|instruction)|GLOBAL (\S+) was not an allowed", re.I)
_GLOBAL = re.compile(r"GLOBAL (\S+)")
_TRUST = (
    "--trust-pickle would load it by running whatever code the file holds, as you: only for files that you "
    "made or trust. Safer: save plain tensors again."
)
_LARGEST_UNPACKED = 2**30
_MOST_UNPACKED = 20
"""Bytes, and times its size, to which an archive may unpack where it is larger than that: else it is made to fill the
memory. Numbers that were measured shrink to a half at best, and a large one-hot table can be saved as its indices."""


def read_pt(path: str, *, trust_pickle: bool) -> Any:
    """Return what torch.save wrote; tensors and plain containers only, unless `trust_pickle`.

    Raises:
        TargetError: The file cannot be read, or holds pickled objects and is not trusted.
    """
    try:
        _check_archive(located(path))
        return torch.load(located(path), map_location="cpu", weights_only=not trust_pickle)
    except pickle.UnpicklingError as exc:
        if not trust_pickle and _REFUSED.search(str(exc)) and _is_pickle(path):
            found = _GLOBAL.search(str(exc))
            what = f" (`{found[1]}`)" if found else ""
            raise TargetError(f"{path} holds pickled Python objects{what}, not only tensors", hint=_TRUST) from exc
        raise _unreadable(path, exc) from exc
    except Exception as exc:
        # Unpickling a trusted file runs code of its own, which may raise anything.
        raise _unreadable(path, exc) from exc


def read_npy(path: str, *, trust_pickle: bool) -> torch.Tensor:
    """Return the array of a .npy file.

    Raises:
        TargetError: The file cannot be read, or holds Python objects.
    """
    try:
        with located(path).open("rb") as file:
            _check_claim(file, located(path).stat().st_size)
        return to_tensor(np.load(located(path), allow_pickle=trust_pickle), path)
    except TargetError:
        raise
    except Exception as exc:
        # A header is a Python literal, and a trusted file is code: reading either may raise anything.
        raise _numpy_error(path, exc) from exc


def read_npz(path: str, *, trust_pickle: bool) -> dict[str, torch.Tensor]:
    """Return the arrays of a .npz file by name.

    Raises:
        TargetError: The file cannot be read, or holds Python objects.
    """
    try:
        _check_archive(located(path))
        _check_claims(located(path))
        with np.load(located(path), allow_pickle=trust_pickle) as arrays:
            return {name: to_tensor(arrays[name], f"{path}: {name}") for name in arrays.files}
    except TargetError:
        raise
    except Exception as exc:
        # As for .npy; attribute and type errors tell of a plain .npy or a pickle under another name.
        raise _numpy_error(path, exc) from exc


def read_safetensors(path: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a .safetensors file by name.

    Raises:
        TargetError: The file cannot be read, or safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as exc:
        raise TargetError(f"{path} needs the safetensors package", hint="Install it: pip install safetensors") from exc
    try:
        return dict(load_file(located(path)))
    except (OSError, ValueError, KeyError, MemoryError, SafetensorError) as exc:
        raise _unreadable(path, exc) from exc


def to_tensor(array: Any, label: str) -> torch.Tensor:
    """Return an array as a tensor; float64, NumPy's habit, becomes torch's default dtype.

    Raises:
        TargetError: torch has no such dtype (text, dates, Python objects).
    """
    try:
        # A copy: the array may be read-only or have negative strides, which torch refuses.
        tensor = torch.from_numpy(np.array(array, order="C"))
    except TypeError as exc:
        raise TargetError(
            f"{label} holds {array.dtype} values, not numbers", hint="Encode them as numbers first."
        ) from exc
    return tensor.to(torch.get_default_dtype()) if tensor.dtype is torch.float64 else tensor


def _check_archive(path: Path) -> None:
    """See that a zip, if the file is one, does not unpack to more than could have been saved in it.

    Raises:
        ValueError: It does.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    size = path.stat().st_size
    if unpacked > max(_LARGEST_UNPACKED, _MOST_UNPACKED * size):
        raise ValueError(f"it unpacks to {size_in_words(unpacked)} from {size_in_words(size)}")


def _check_claims(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as stream:
                _check_claim(stream, entry.file_size)


def _check_claim(stream: IO[bytes], size: int) -> None:
    """See that a .npy has the bytes that its header claims, before room is made for them.

    Raises:
        ValueError: It has not, or no such header.
    """
    version = np.lib.format.read_magic(stream)
    old = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    claimed = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and claimed > size:
        raise ValueError(f"its header claims {size_in_words(claimed)}, and it has {size_in_words(size)}")


def _is_pickle(path: str) -> bool:
    """Whether a file starts as torch.save or pickle write it; anything else is not worth trusting."""
    with located(path).open("rb") as file:
        return file.read(2).startswith((b"PK", b"\x80"))


def _numpy_error(path: str, exc: Exception) -> TargetError:
    # np.load words both "Object arrays cannot be loaded when allow_pickle=False" and, for a file that
    # is no array at all, "Cannot load file containing pickled data": only the first is worth trusting.
    if "Object arrays" in str(exc):
        return TargetError(f"{path} holds pickled Python objects, not only numbers", hint=_TRUST)
    return _unreadable(path, exc)


def _unreadable(path: str, exc: Exception) -> TargetError:
    reason = (message_of(exc).splitlines() or [""])[0]
    too_large = isinstance(exc, MemoryError)
    return TargetError(
        f"{path} cannot be read: {type(exc).__name__}: {reason}",
        hint="Save fewer rows." if too_large else "It is damaged, empty or of another format: write it again.",
    )
