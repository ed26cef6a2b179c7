"""Which checks of a plan run: `-k EXPR` and `--shard I/N`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from gradcheck_cli.errors import UsageError
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.words import listing

Predicate = Callable[[str], bool]
_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")
_HINT = "Write parts of names with `and`, `or`, `not` and parentheses, as in -k 'resnet and not (fp16 or bf16)'."


def selected(plan: Sequence[PlannedCheck], keyword: str | None, shard: str | None) -> list[PlannedCheck]:
    """The checks whose names fit `keyword`, and of these the ones of a shard, which may be none.

    Raises:
        UsageError: One of the two is malformed, or no check fits `keyword`.
    """
    fits = _Expression(keyword).parsed() if keyword is not None else lambda name: True
    chosen = [planned for planned in plan if fits(planned.name)]
    if not chosen:
        raise UsageError(f"-k `{keyword}` fits no check", hint=f"There are {listing([p.name for p in plan])}.")
    if shard is None:
        return chosen
    index, count = parse_shard(shard)
    return chosen[index - 1 :: count]


def parse_shard(text: str) -> tuple[int, int]:
    """I and N of `I/N`: every N-th check, from the I-th on.

    Raises:
        UsageError: It is something else, or I does not lie in 1..N.
    """
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    index, count = (int(part) for part in found.groups()) if found else (0, 0)
    if not 1 <= index <= count:
        raise UsageError(f"--shard `{text}` is not I/N with I from 1 to N", hint="Write --shard 2/4.")
    return index, count


class _Expression:
    """A parser of pytest's grammar by recursive descent: `or` over `and` over `not` over parts of a name.

    A part fits a name that holds it, whatever the case.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [(found[1], found.start(1)) for found in _TOKEN.finditer(text)]
        self.next = 0

    def parsed(self) -> Predicate:
        try:
            predicate = self._either()
            if self._token() is not None:
                self._fail("`and`, `or` or the end")
            return predicate
        except RecursionError as error:
            raise UsageError("-k: the expression is nested too deeply", hint=_HINT) from error

    def _either(self) -> Predicate:
        parts = [self._both()]
        while self._took("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda name: any(part(name) for part in parts)

    def _both(self) -> Predicate:
        parts = [self._one()]
        while self._took("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda name: all(part(name) for part in parts)

    def _one(self) -> Predicate:
        if self._took("not"):
            negated = self._one()
            return lambda name: not negated(name)
        if self._took("("):
            inner = self._either()
            if not self._took(")"):
                self._fail("`)`")
            return inner
        part = self._token()
        if part is None or part in ("and", "or", ")"):
            self._fail("a part of a name")
        self.next += 1
        return lambda name: str(part).lower() in name.lower()

    def _token(self) -> str | None:
        return self.tokens[self.next][0] if self.next < len(self.tokens) else None

    def _took(self, token: str) -> bool:
        taken = self._token() == token
        self.next += taken
        return taken

    def _fail(self, wanted: str) -> None:
        token = self._token()
        column = (self.tokens[self.next][1] if token else len(self.text)) + 1
        found = f"`{token}`" if token else "the end"
        raise UsageError(f"-k `{self.text}`: column {column}: expected {wanted}, found {found}", hint=_HINT)
