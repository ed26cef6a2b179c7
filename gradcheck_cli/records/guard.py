"""One call of an op in the user's line, made safe: the very text that is shown is the one that is carried out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Guard:
    """A rewrite of the only call of `op` in a line.

    The fields are Python expressions. In them `x` is the operand that makes the trouble, `y` what the call makes of
    `argument`, `ok` what `chosen` says, `dim` the dimension of the call, `second` its second argument, `numerator` what
    is divided, and `power` what an exp was taken of to make `x`.

    Attributes:
        op: The op's plain name, such as "log".
        chosen: Where the op is inside its domain; "" where nothing is chosen.
        argument: What stands in place of `x`; "" where it stays.
        result: What stands in place of the call; "" where that stays.
        instead: The function that is called instead of the op; "" for the op itself.
        keyword: A keyword that the call is given, with its value; "" for none.
        plain: Whether it holds only for a call without further arguments.
        before: Whether `argument` is given to the variable that the call is made of, in a statement before the line:
            all that is made of it later gets that too.
        line: The user's line with all of that.
    """

    op: str
    chosen: str = ""
    argument: str = ""
    result: str = ""
    instead: str = ""
    keyword: str = ""
    plain: bool = False
    before: bool = False
    line: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """What came of carrying out the guards of one remedy.

    Attributes:
        guard: The first that cures and keeps the numbers; None where none does.
        loss: The loss under it; NaN where there is none.
        seen: Whether the pass ever came to the call.
    """

    guard: Guard | None
    loss: float
    seen: bool


SPELLINGS = {
    "div": "div divide true_divide truediv itruediv idiv",
    "reciprocal": "reciprocal rdiv rtruediv",
    "pow": "pow ipow float_power",
    "linalg_vector_norm": "norm vector_norm linalg_norm linalg_vector_norm",
    "nll_loss": "nll_loss cross_entropy",
    "linalg_svd": "svd linalg_svd",
    "linalg_eigh": "eigh linalg_eigh",
}
"""How an op is called, where that is not by its name: a dunder stands without its underscores."""


_POSITIONS = {"div": 1, "xlogy": 1, "xlog1py": 1, "remainder": 1, "fmod": 1, "polygamma": 1, "ldexp": 1, "addcdiv": 2}


def position(op: str) -> int:
    """Which argument of an op makes the trouble, by its plain name."""
    return _POSITIONS.get(op.removeprefix("special_"), 0)


def spellings(op: str) -> frozenset[str]:
    """The names that a function may have that calls an op."""
    plain = op.removeprefix("special_").rstrip("_")
    return frozenset(SPELLINGS.get(plain, plain).split())
