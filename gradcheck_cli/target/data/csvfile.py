"""Read a numeric .csv file into inputs and a target."""

from __future__ import annotations

import csv
import itertools
import re

import numpy as np
import torch

from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.opening import Unreadable, text_of
from gradcheck_cli.target.code.locating import located
from gradcheck_cli.words import did_you_mean, listing

_LARGEST = 2**29
"""Bytes of text, of which all is held at once."""
# Python's float() takes `1_000`, the digits of every script and more besides: those are slips in a table.
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_PLACE = re.compile(r"-?\d{1,9}", re.ASCII)
_TARGET_COLUMNS = ("target", "targets", "label", "labels", "class", "y")


def read_csv(path: str, target_column: str | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the inputs, float [rows, columns], and the target column [rows], if there is one.

    A first row with text is the header. A target of whole numbers is int64. Empty cells are NaN.

    Raises:
        UsageError: There is no such target column.
        TargetError: The file cannot be read, is empty or ragged, or holds text.
    """
    rows = _rows(path)
    header = _header(rows)
    body = rows[1:] if header else rows
    if not body:
        raise TargetError(f"{path} has no rows", hint="A batch needs at least one row of numbers.")
    values = _numbers(path, body, header)
    column = _column(path, target_column, header, values.shape[1])
    if column is None:
        return _floats(values), None
    return _floats(np.delete(values, column, axis=1)), _target(values[:, column])


def columns(path: str, target_column: str | None) -> tuple[str, ...]:
    """The names of the columns that are inputs, in their order; () where the file has no header.

    Raises:
        UsageError: There is no such target column.
        TargetError: The file cannot be read.
    """
    header = _header(_rows(path, only_header=True))
    target = _column(path, target_column, header, len(header)) if header else None
    return tuple(name for index, name in enumerate(header) if index != target)


def _rows(path: str, *, only_header: bool = False) -> list[list[str]]:
    try:
        text = text_of(located(path), _LARGEST)
        delimiter = max(",;\t", key=text[:10_000].count)
        rows = (row for row in csv.reader(text.splitlines(), delimiter=delimiter) if any(row))
        return list(itertools.islice(rows, 1 if only_header else None))
    except Unreadable as exc:
        hint = "Save it as CSV in UTF-8, or load it in Python: --batch file.py:NAME."
        raise TargetError(f"{path} cannot be read: it {exc}", hint=hint) from exc
    except csv.Error as exc:
        raise TargetError(f"{path} cannot be read: {exc}", hint="Save it as CSV in UTF-8.") from exc


def _header(rows: list[list[str]]) -> list[str]:
    has_text = bool(rows) and any(_number(cell) is None for cell in rows[0])
    return [cell.strip() for cell in rows[0]] if has_text else []


def _numbers(path: str, rows: list[list[str]], header: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    width = len(header) or len(rows[0])
    table = np.empty((len(rows), width), dtype=np.float64)
    for index, row in enumerate(rows):
        line = index + (2 if header else 1)
        if len(row) != width:
            raise TargetError(f"{path} row {line} has {len(row)} cells where others have {width}", hint="Mend the row.")
        for column, cell in enumerate(row):
            value = _number(cell)
            if value is None:
                name = header[column] if header else str(column)
                raise TargetError(
                    f"{path} row {line}, column `{name}`: `{cell}` is not a number",
                    hint="Encode text as numbers, or load the file in Python: --batch file.py:NAME.",
                )
            table[index, column] = value
    return table


def _number(cell: str) -> float | None:
    if not cell.strip():
        return float("nan")
    return float(cell) if _NUMBER.fullmatch(cell.strip()) else None


def _column(path: str, wanted: str | None, header: list[str], width: int) -> int | None:
    if wanted is None:
        named = [index for index, name in enumerate(header) if name.lower() in _TARGET_COLUMNS]
        return named[-1] if named else None
    if wanted in header:
        return header.index(wanted)
    if _PLACE.fullmatch(wanted) and -width <= int(wanted) < width:
        return int(wanted) % width
    known = f"It has {listing(header)}." if header else f"It has no header; columns are 0 to {width - 1}."
    raise UsageError(f"--target-column: {path} has no column `{wanted}`{did_you_mean(wanted, header)}", hint=known)


def _floats(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> torch.Tensor:
    return torch.from_numpy(values).to(torch.get_default_dtype())


def _target(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> torch.Tensor:
    tensor = torch.from_numpy(values.copy())
    whole = bool(torch.isfinite(tensor).all()) and bool((tensor == tensor.round()).all())
    return tensor.to(torch.int64 if whole else torch.get_default_dtype())
