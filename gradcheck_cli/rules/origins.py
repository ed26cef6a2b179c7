"""What an op and the values that it saw say about why something is not finite."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from gradcheck_cli.records.measurement import Operand, Origin
from gradcheck_cli.records.ops import (
    ADDITIVE,
    ATTENTIONS,
    CHOOSERS,
    ELEMENTWISE_ARITHMETIC,
    LENGTHS,
    MATRIX_PRODUCTS,
    MEANS_AND_SUMS,
    UNSET,
    WRITERS,
    is_custom,
    plain_op,
)
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.rules.domains import DOMAINS, UNKNOWN, Domain
from gradcheck_cli.words import number

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def forward_cause(origin: Origin) -> str:
    """The cause that an op of the forward pass and its operands name."""
    if any(0 in operand.shape for operand in origin.operands):
        return "empty-reduction"
    if _adds_masks(origin):
        return "masked-softmax-row"
    if origin.produced == "inf" and any(operand.dtype == "float16" for operand in origin.operands):
        return "fp16-overflow"
    if told := _bad_constant(origin) or ("negative-determinant" if is_logdet(origin) else ""):
        return told
    if origin.produced == "nan" and _met_infinity(origin):
        return "zero-times-inf"
    domain = _domain(origin.op)
    return _by_values((domain.backward if origin.derived else domain.forward) or "unknown", origin)


def is_logdet(origin: Origin) -> bool:
    """Whether it is the NaN that torch.logdet itself writes, where a determinant is below 0."""
    return (
        origin.produced == "nan" and origin.op in WRITERS | {"scalar_tensor", "logdet"} and calls_logdet(origin.source)
    )


def calls_logdet(source: SourceLine | None) -> bool:
    """Whether the user's line takes a log-determinant without its sign."""
    return source is not None and re.search(r"\blogdet\(", source.code) is not None


def backward_cause(evidence: Evidence, index: int, origin: Origin | None) -> str:
    """The cause that the op at `index`, what it had saved, and what chose among its results name."""
    name = evidence.graph.op(index).name
    if is_custom(name):
        return "custom-backward"
    found = _domain(plain_op(name)).backward or "unknown"
    if origin is None:
        return found.partition("|")[0]
    if origin.unwanted == 1 and _is_chosen_from(evidence, index):
        return "where-trap"
    cause = _by_values(found, origin)
    grown = cause == "exp-overflow" or (cause == "large-init" and origin.produced == "inf")
    return "fp16-overflow" if grown and any(operand.dtype == "float16" for operand in origin.operands) else cause


def _adds_masks(origin: Origin) -> bool:
    """Whether two masks of the lowest number of their dtype were added, which is -Inf."""
    lowest = [_LOWEST[o.dtype] for o in origin.operands if o.dtype in _LOWEST and o.elements]
    if origin.op != "add" or origin.produced != "inf" or len(lowest) < 2:
        return False
    values = [o.elements[0].value for o in origin.operands if o.dtype in _LOWEST and o.elements]
    return all(value <= _NEARLY * low for value, low in zip(values, lowest, strict=True))


_LOWEST = {"float16": -65504.0, "bfloat16": -3.39e38, "float32": -3.4e38}
_NEARLY = 0.5
"""Share of the lowest number from which two of a kind make -Inf."""


def _domain(op: str) -> Domain:
    return DOMAINS.get(op) or DOMAINS.get(op.rstrip("_"), UNKNOWN)


def _by_values(causes: str, origin: Origin) -> str:
    """Which of the causes of an op the values at its bad elements say."""
    cause, _, below_zero = causes.partition("|")
    if below_zero and _below_zero(origin):
        return below_zero
    if cause == "zero-div-zero" and not _is_zero(_argument(origin)):
        return "small-denominator"
    if cause == "inf-in-loss" and _is_masked_row(origin):
        return "masked-softmax-row"
    return "exp-overflow" if _is_overflow(cause, origin) else cause


def _is_overflow(cause: str, origin: Origin) -> bool:
    """Whether what went in is inside the domain of the op, and too large for it."""
    first = _first(origin)
    too_large = {
        "pow-domain": _grows(origin),
        "zero-times-inf": origin.produced == "inf",  # the other is NaN
        "log-zero": origin.op in _GAMMAS and first > 1,
        "sqrt-zero": origin.op in LENGTHS and abs(first) > 1,
        "zero-variance": _passes(origin, _LARGE),
        "masked-softmax-row": origin.op in ATTENTIONS and _passes(origin, _LARGE),
        "degenerate-eigenvalues": _is_forward(origin) and _passes(origin, _LARGE),  # backward the inverse is large
        "fp16-overflow": _passes(origin, _LARGEST),
    }
    return too_large.get(cause, False)


def _is_forward(origin: Origin) -> bool:
    return origin.node < 0 and not origin.derived


_GAMMAS = {"lgamma", "digamma", "polygamma", "mvlgamma"}
_LARGEST = 3.4e38
"""What float32 does not hold."""


def _bad_constant(origin: Origin) -> str:
    """The cause where NaN or Inf stands in the user's own code, or in memory that was never set."""
    if origin.op in UNSET:
        return "nan-parameter"
    made = origin.op == "tensor"  # what `x[i] = nan` and torch.tensor(nan) begin with
    numbers = [
        o.smallest for o in origin.operands if o.shape == () and (made or not o.dtype) and o.smallest is not None
    ]
    if any(map(math.isnan, numbers)):
        return "nan-input"
    return "inf-input" if any(map(math.isinf, numbers)) and origin.op in ELEMENTWISE_ARITHMETIC else ""


def _met_infinity(origin: Origin) -> bool:
    """Whether the NaN comes of an Inf that went in, and was taken from another or multiplied by 0."""
    if origin.op in {"softmax", "log_softmax"}:
        return any(o.largest == math.inf and not _is_masked(o) for o in origin.operands)
    infinite = any(math.isinf(v) for o in origin.operands for v in (o.smallest, o.largest) if v is not None)
    return infinite and origin.op in ADDITIVE


def _is_masked(operand: Operand) -> bool:
    """Whether it is -Inf wherever the op went wrong."""
    return bool(operand.elements) and all(e.value == -math.inf for e in operand.elements)


def _is_masked_row(origin: Origin) -> bool:
    """Whether the first row that -Inf was written into is -Inf from its beginning, as far as it is known."""
    operand = next((o for o in origin.operands if o.elements and o.shape), None)
    if operand is None or origin.count < operand.shape[-1]:
        return False
    places = [e.at for e in operand.elements]
    known = min(len(places), operand.shape[-1])
    return [at[-1] for at in places[:known]] == list(range(known)) and len({at[:-1] for at in places[:known]}) == 1


def values_of(origin: Origin) -> str:
    """What went in, in words: the values at the bad elements, and the range."""
    words = [_described(operand, _role(origin, operand)) for operand in _telling(origin)]
    return "; ".join(words) if words else "it has no floating input"


def _telling(origin: Origin) -> list[Operand]:
    """The operand to blame and one more: of a length the other length, else the first of the rest."""
    argument = _argument(origin)
    rest = [operand for operand in origin.operands if operand is not argument]
    lengths = [operand for operand in rest if operand.name.endswith("_lengths")]
    return ([argument] if argument else []) + [*lengths, *rest][:1]


def _argument(origin: Origin) -> Operand | None:
    wanted = _domain(origin.op).argument
    named = [operand for operand in origin.operands if operand.name == wanted]
    return next(iter((*named, *origin.operands)), None)


_ROLES = {
    "div": {"self": "numerator", "other": "denominator"},
    "pow": {"self": "base", "exponent": "exponent"},
}


def _role(origin: Origin, operand: Operand) -> str:
    """What an operand is to its op: "denominator", "input", or its own name in backticks."""
    known = {"self": "input", "result": "result", **_ROLES.get(origin.op, {})}
    return known.get(operand.name) or ("input" if len(origin.operands) == 1 else f"`{operand.name}`")


def _described(operand: Operand, role: str) -> str:
    what = f"its {role}"
    shape = "x".join(map(str, operand.shape))
    kind = f" ({shape} {operand.dtype})" if operand.shape else ""
    if operand.smallest is None:
        return f"{what} is empty{kind}"
    at = ", ".join(f"{number(e.value, 4)} at {list(e.at)}" for e in operand.elements if e.at)
    low, high = number(operand.smallest, 4), number(operand.largest or 0.0, 4)
    span = low if low == high else f"from {low} to {high}"
    return f"{what} is {at}; overall {span}{kind}" if at else f"{what} is {span}{kind}"


def _below_zero(origin: Origin) -> bool:
    argument = _argument(origin)
    if argument is None:
        return False
    values = [e.value for e in argument.elements] or [argument.smallest or 0.0, argument.largest or 0.0]
    least = -1.0 if origin.op in {"log1p", "special_xlog1py"} else 0.0
    return min(values) < least or (origin.op == "logit" and max(values) > 1)


def _is_zero(operand: Operand | None) -> bool:
    if operand is None:
        return True
    values = [e.value for e in operand.elements] or [operand.smallest or 0.0]
    return any(value == 0 for value in values)


def _grows(origin: Origin) -> bool:
    """Whether a power overflows for its size, and not at the end of its domain."""
    return abs(_first(origin)) > 1 and (origin.produced == "inf" or _is_whole(origin))


def _first(origin: Origin) -> float:
    """What went in where it first went wrong; 0 where that is not known."""
    argument = _argument(origin)
    return argument.elements[0].value if argument is not None and argument.elements else 0.0


def _is_whole(origin: Origin) -> bool:
    """Whether the exponent is a whole number."""
    exponents = [o for o in origin.operands if o.name == "exponent" and o.smallest is not None]
    return any(o.smallest == o.largest and float(o.smallest or 0.0).is_integer() for o in exponents)


_LARGE = 1e17
"""A square of which, summed, passes the largest number of float32."""


def _passes(origin: Origin, limit: float) -> bool:
    """Whether a finite value of what went in does."""
    given = [o for o in origin.operands if "std" not in o.name and not o.name.startswith("result")]
    values = [v for o in given for v in (o.smallest, o.largest) if v is not None]
    return any(abs(v) > limit for v in values if math.isfinite(v))


_MIXES = MEANS_AND_SUMS | MATRIX_PRODUCTS
"""What mixes elements: behind it none is chosen alone."""
_CHOICE_REACH = 8


def _is_chosen_from(evidence: Evidence, index: int) -> bool:
    """Whether what the op made went on, element by element, to a choice among values."""
    for _ in range(_CHOICE_REACH):
        senders = evidence.graph.senders[index]
        if len(senders) != 1:
            return any(_chooses(evidence, s) for s in senders)
        index = senders[0]
        if _chooses(evidence, index):
            return True
        if evidence.graph.stem(index) in _MIXES:
            return False
    return False


def _chooses(evidence: Evidence, index: int) -> bool:
    return plain_op(evidence.graph.op(index).name) in CHOOSERS
