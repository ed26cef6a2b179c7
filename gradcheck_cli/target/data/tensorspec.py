"""Synthetic tensors in words: `float32[8,3,32,32]`, `ids=int64[4,128] in 0..50257`; without torch."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn

from gradcheck_cli.errors import UsageError
from gradcheck_cli.words import did_you_mean

FLOATS = ("float32", "float64", "float16", "bfloat16")
COMPLEX = ("complex64", "complex128")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
DTYPES = (*FLOATS, *COMPLEX, *INTEGERS, "bool")

_NAME = re.compile(r"\s*([^\W\d]\w*)\s*=\s*")
_WORD = re.compile(r"\s*(\w*)\s*")
_SIZE = re.compile(r"\s*(\d+)\s*", re.ASCII)
_RANGE = re.compile(r"in\b\s*")
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.\d+|\d+|\.\d+)(?:[eE][-+]?\d+)?)\s*", re.ASCII)
_MOST_DIGITS = 18
_LONGEST_NUMBER = 400
_MOST_SIZES = 64
"""Of a tensor of torch."""
_MOST_NUMBERS = 2**48
"""Beyond the memory of any machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorSpec:
    """A tensor to be drawn: values in the half-open range `bounds`, or the dtype's default."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bounds: tuple[float, float] | None


def parse_tensor(text: str, option: str) -> TensorSpec:
    """Read `[NAME=]DTYPE[SIZE,...][ in LOW..HIGH]`.

    Raises:
        UsageError: It is malformed; the message points at the character.
    """
    return _Parser(text, option).parse()


def _fits(number: int, dtype: str) -> bool:
    """Whether `number` may bound a half-open range of an integer dtype."""
    bits = int(dtype.removeprefix("u").removeprefix("int"))
    low, high = (0, 1 << bits) if dtype.startswith("u") else (-1 << (bits - 1), 1 << (bits - 1))
    return low <= number <= min(high, (1 << 63) - 1)


class _Parser:
    """A cursor over one spec."""

    def __init__(self, text: str, option: str) -> None:
        self.text = text
        self.option = option
        self.at = 0

    def parse(self) -> TensorSpec:
        named = self._take(_NAME)
        dtype = self._dtype()
        shape = self._shape()
        bounds = self._bounds(dtype)
        if self.at < len(self.text):
            self._fail("nothing may follow here")
        return TensorSpec(name=named or "", dtype=dtype, shape=shape, bounds=bounds)

    def _dtype(self) -> str:
        start = self.at
        word = self._take(_WORD) or ""
        if word not in DTYPES:
            problem = f"`{word}` is not a dtype{did_you_mean(word, DTYPES)}" if word else "a dtype is expected"
            self._fail(problem, start)
        return word

    def _shape(self) -> tuple[int, ...]:
        self._expect("[")
        sizes: list[int] = []
        while not self._skip("]"):
            if sizes:
                self._expect(",", "`,` or `]`")
            sizes.append(self._size())
            if len(sizes) > _MOST_SIZES:
                self._fail(f"a tensor has at most {_MOST_SIZES} sizes")
            if math.prod(sizes) > _MOST_NUMBERS:
                self._fail("this is beyond all memory")
        self.at += len(self.text) - self.at - len(self.text[self.at :].lstrip())
        return tuple(sizes)

    def _size(self) -> int:
        start = self.at
        size = self._take(_SIZE)
        if size is None:
            self._fail("a size is expected: a whole number", start)
        if len(size.lstrip("0")) > _MOST_DIGITS:
            self._fail("this size is beyond all memory", start)
        return int(size[-_MOST_DIGITS:])

    def _bounds(self, dtype: str) -> tuple[float, float] | None:
        start = self.at
        if not self._range_follows():
            return None
        if dtype in (*COMPLEX, "bool"):
            self._fail(f"{dtype} takes no range", start)
        low = self._number(dtype)
        self._expect("..")
        high_at = self.at
        high = self._number(dtype)
        if high <= low:
            self._fail("the range is empty: it runs up to, not including, the second number", high_at)
        return low, high

    def _range_follows(self) -> bool:
        match = _RANGE.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match is not None

    def _number(self, dtype: str) -> float:
        start = self.at
        number = self._take(_NUMBER)
        if number is None:
            self._fail("a number is expected", start)
        if dtype in INTEGERS and not number.lstrip("+-").isdigit():
            self._fail(f"{dtype} needs whole numbers", start)
        if len(number) > _LONGEST_NUMBER or math.isinf(float(number)):
            self._fail("this number is too large", start)
        if dtype in INTEGERS and not _fits(int(number), dtype):
            self._fail(f"{dtype} cannot hold {number}", start)
        return float(number)

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match.group(1)

    def _skip(self, token: str) -> bool:
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def _expect(self, token: str, wanted: str = "") -> None:
        if not self._skip(token):
            self._fail(f"{wanted or f'`{token}`'} is expected")

    def _fail(self, problem: str, at: int | None = None) -> NoReturn:
        column = self.at if at is None else at
        raise UsageError(
            f"{self.option}: {problem}\n  {self.text}\n  {' ' * column}^",
            hint='Write [NAME=]DTYPE[SIZE,...] [in LOW..HIGH], such as "float32[8,3,32,32]" or '
            '"ids=int64[4,128] in 0..50257".',
        )
