"""Random compositions of two or three ops of the table of domains, and who is to blame in each, by plain evaluation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from gradcheck_cli import Finding, check
from tests.nonfinite.table import BACKWARD, FORWARD, made

VALUES = (0.0, 1.0, -1.0, 0.3, -0.3, 0.5, 2.0, -2.0, 1.7, 100.0, -100.0, 1e-30, -1e-30, 1e-40, 1e30, -1e30)
NAMES = "abcd"
KEPT = 1e-5
_X = re.compile(r"\bx\b")


@dataclass(frozen=True, kw_only=True)
class Composition:
    """What each line computes of what the line before it made, and the values that the first is given."""

    codes: tuple[str, ...]
    values: tuple[float, ...]

    @property
    def lines(self) -> list[str]:
        """The lines of the user's function."""
        given = zip(NAMES, NAMES[1:], self.codes, strict=False)
        return ["a = x * 1", *(f"{after} = {_X.sub(before, code)}" for before, after, code in given)]


class Run:
    """One pass of such lines in plain torch.

    Attributes:
        made: What each line made, [4] each.
        sent: The gradient that came back to each.
    """

    def __init__(self, composition: Composition, lines: list[str]) -> None:
        names = NAMES[: len(composition.codes) + 1]
        text = "\n".join([*lines, f"y = [{', '.join(names)}]"])
        found = made(text)(torch.tensor(composition.values, requires_grad=True))
        for tensor in found:
            tensor.retain_grad()
        found[-1].sum().backward()
        self.made: list[Tensor] = [t.detach() for t in found]
        self.sent: list[Tensor] = [torch.zeros(4) if t.grad is None else t.grad for t in found]

    @property
    def is_finite(self) -> bool:
        """Whether its loss and all gradients are."""
        return all(bool(t.isfinite().all()) for t in (self.made[-1].sum(), self.sent[0]))

    def producers(self) -> set[int]:
        """The lines that made what is not finite in the loss, else in the gradient; an element has a way of its own.

        A gradient that met a value which was not finite is the fault of the line that made that value.
        """
        forward = not bool(self.made[-1].sum().isfinite())
        return {line for at in range(4) if (line := self._forward(at) if forward else self._backward(at)) is not None}

    def _forward(self, at: int) -> int | None:
        """The line that made the last of the values, at one element."""
        place = len(self.made) - 1
        return self._maker(place, at)

    def _maker(self, place: int, at: int) -> int | None:
        if self.made[place][at].isfinite():
            return None
        while place and not self.made[place - 1][at].isfinite():
            place -= 1
        return place

    def _backward(self, at: int) -> int | None:
        """The line whose gradient stopped to be finite at one element, or that made the value which it met."""
        bad = [i for i in range(len(self.sent)) if not self.sent[i][at].isfinite()]
        if not bad:
            return None
        line = max(bad) + 1
        met = [self._maker(place, at) for place in (line, line - 1)]
        return next((maker for maker in met if maker is not None), line)


def _is_elementwise(code: str) -> bool:
    """Whether each element of what it makes depends on that element of `x` alone."""
    x = torch.tensor([0.31, 0.52, 0.43, 0.64])
    try:
        y, moved = made(f"y = {code}")(x), made(f"y = {code}")(x + torch.tensor([0.01, 0, 0, 0]))
    except RuntimeError:
        return False
    same = y.shape == x.shape and y.dtype == x.dtype
    return same and torch.equal(y[1:], moved[1:]) and not torch.equal(y[:1], moved[:1])


@cache
def elementwise() -> dict[str, str]:
    """The lines of the table of which that is true, and the op of each."""
    return {row.code: row.op for row in (*FORWARD, *BACKWARD) if _is_elementwise(row.code)}


@st.composite
def compositions(draw: st.DrawFn) -> Composition:
    """Those that are not finite somewhere."""
    codes = draw(st.lists(st.sampled_from(sorted(elementwise())), min_size=2, max_size=3))
    values = draw(st.lists(st.sampled_from(VALUES), min_size=4, max_size=4))
    return Composition(codes=tuple(codes), values=tuple(values))


class Holder(nn.Module):
    """Holds the values."""

    def __init__(self, values: tuple[float, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(values))


def found_in(composition: Composition) -> Finding | None:
    """The first finding that is more than a note."""
    line = made("\n".join([*composition.lines, f"y = {NAMES[len(composition.codes)]}.sum()"]), "<composition>")
    report = check(Holder(composition.values), torch.ones(1), step=lambda m, _: line(m.weight))
    return next((f for f in report.findings if f.severity.value != "note"), None)


def named_line(found: Finding | None) -> int | None:
    """The line that it names, where `a` is made by line 0."""
    return found.source.line - 2 if found is not None and found.source is not None else None


def harm_of(composition: Composition, line: int, code: str) -> str:
    """What is wrong with a rewrite of a line; "" where it cures and leaves what was healthy as it was."""
    lines = composition.lines
    before = Run(composition, lines)
    after = Run(composition, [*lines[:line], *code.split("; "), *lines[line + 1 :]])
    if not after.is_finite:
        return "does not cure"
    healthy = before.made[line].isfinite() & before.sent[line - 1].isfinite()
    pairs = ((before.made[line], after.made[line]), (before.sent[line - 1], after.sent[line - 1]))
    same = all(torch.allclose(new[healthy], old[healthy], rtol=KEPT, atol=1e-8) for old, new in pairs)
    return "" if same else "changes what was healthy"
