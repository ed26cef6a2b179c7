"""What hostile files are made of, and what may be claimed of a folder afterwards."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np


def npy(header: str, body: bytes = b"", version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    """A .npy file with the header as it is given."""
    text = header.encode("latin-1") + b"\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes(version) + size + text + body


def zipped(**entries: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in entries.items():
            file.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


def saved_npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def zipped_zeros(path: Path) -> None:
    """A .npz of 1.1 GB of zeros, which takes a second to make: not before it is wanted."""
    part, parts = bytes(2**26), 17
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({parts * len(part)},)}}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file, file.open("x.npy", "w") as entry:
        entry.write(npy(header))
        for _ in range(parts):
            entry.write(part)


def holds(name: str, test: Callable[[Path], bool], wrong: str) -> Callable[[Path], str]:
    return lambda where: "" if test(where / name) else f"{name}: {wrong}"


def still(name: str, text: str) -> Callable[[Path], str]:
    return holds(name, lambda path: path.read_text() == text, "is not as it was")


def written(name: str) -> Callable[[Path], str]:
    return holds(name, lambda path: path.is_file() and path.stat().st_size > 0, "was not written")


def nothing_left_but(*names: str) -> Callable[[Path], str]:
    """Nothing is there that was not, but these."""
    usual = {"m.py", "gradcheck.yaml", "train.py", "__pycache__", *names}

    def look(where: Path) -> str:
        extra = sorted(path.name for path in where.iterdir() if path.name not in usual)
        return f"left behind: {extra}" if extra else ""

    return look


def is_device(name: str) -> Callable[[Path], str]:
    return holds(name, lambda path: stat.S_ISCHR(path.lstat().st_mode), "is no device any more")


def leave_no_folder() -> None:
    Path("gone").mkdir(parents=True)
    os.chdir("gone")
    Path("../gone").rmdir()
