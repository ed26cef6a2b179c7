"""What an op and the values that it saw say about why something is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from gradcheck_cli.names import plain_op
from gradcheck_cli.records.measurement import Operand, Origin
from gradcheck_cli.rules.evidence import VIEW_LIKE, Evidence
from gradcheck_cli.rules.wording import number

_Cause = TypeVar("_Cause")

# By the op's plain name, the longest that it starts with. A pair: the second is for an argument below zero.
_FORWARD: dict[str, str | tuple[str, str]] = {
    "log": ("log-zero", "log-negative"),
    "log1p": ("log-zero", "log-negative"),
    "log_softmax": "masked-softmax-row",
    "logsumexp": "logsumexp-neginf",
    "logcumsumexp": "logsumexp-neginf",
    "logit": ("log-zero", "log-negative"),
    "xlogy": ("log-zero", "log-negative"),
    "special_xlog1py": ("log-zero", "log-negative"),
    "binary_cross_entropy": "log-zero",
    "kl_div": "log-zero",
    "lgamma": "log-zero",
    "digamma": "log-zero",
    "softmax": "masked-softmax-row",
    "masked_fill": "masked-softmax-row",
    "where": "masked-softmax-row",
    "scaled_dot_product": "masked-softmax-row",
    "sqrt": ("sqrt-zero", "log-negative"),
    "rsqrt": ("zero-div-zero", "log-negative"),
    "div": "zero-div-zero",
    "addcdiv": "zero-div-zero",
    "reciprocal": "zero-div-zero",
    "remainder": "zero-div-zero",
    "fmod": "zero-div-zero",
    "nll_loss": "masked-loss",
    "cross_entropy": "masked-loss",
    "ctc_loss": "ctc-infeasible",
    "acos": "acos-boundary",
    "asin": "acos-boundary",
    "atanh": "acos-boundary",
    "acosh": "acos-boundary",
    "special_erfinv": "acos-boundary",
    "erfinv": "acos-boundary",
    "pow": "pow-domain",
    "std": "zero-variance",
    "var": "zero-variance",
    "linalg": "degenerate-eigenvalues",
    "mm": "large-init",
    "bmm": "large-init",
    "addmm": "large-init",
    "baddbmm": "large-init",
    "mv": "large-init",
    "dot": "large-init",
    "convolution": "large-init",
    "linear": "large-init",
    "batch_norm": "zero-variance",
}
_BACKWARD = {
    "sqrt": "sqrt-zero",
    "rsqrt": "sqrt-zero",
    "norm": "sqrt-zero",
    "linalg_vector_norm": "sqrt-zero",
    "cdist": "sqrt-zero",
    "euclidean_dist": "sqrt-zero",
    "hypot": "sqrt-zero",
    "std": "zero-variance",
    "var": "zero-variance",
    "pow": "pow-domain",
    "acos": "acos-boundary",
    "acosh": "acos-boundary",
    "asin": "acos-boundary",
    "atanh": "acos-boundary",
    "erfinv": "acos-boundary",
    "log": "log-zero",
    "logit": "log-zero",
    "xlogy": "log-zero",
    "kl_div": "log-zero",
    "binary_cross_entropy": "log-zero",
    "lgamma": "log-zero",
    "logsumexp": "logsumexp-neginf",
    "logcumsumexp": "logsumexp-neginf",
    "log_softmax": "masked-softmax-row",
    "softmax": "masked-softmax-row",
    "scaled_dot_product": "masked-softmax-row",
    "exp": "exp-overflow",
    "sinh": "exp-overflow",
    "cosh": "exp-overflow",
    "div": "zero-div-zero",
    "addcdiv": "zero-div-zero",
    "reciprocal": "zero-div-zero",
    "atan2": "zero-div-zero",
    "mul": "zero-times-inf",
    "where": "where-trap",
    "linalg": "degenerate-eigenvalues",
    "symeig": "degenerate-eigenvalues",
    "svd": "degenerate-eigenvalues",
    "ctc_loss": "ctc-infeasible",
    "nll_loss": "masked-loss",
}
_CHOOSERS = ("where", "masked_fill", "masked_select", "index", "masked_scatter")
_ARGUMENTS = {
    "div": "other",
    "reciprocal": "self",
    "addcdiv": "tensor2",
    "nll_loss": "target",
    "ctc_loss": "target_lengths",
}
"""Which operand of an op is the one that makes trouble, where it is not the first."""


def forward_cause(origin: Origin) -> str:
    """The cause that an op of the forward pass and its operands name."""
    if any(0 in operand.shape for operand in origin.operands):
        return "empty-reduction"
    if origin.produced == "inf" and any(operand.dtype == "float16" for operand in origin.operands):
        return "fp16-overflow"
    if constant := _bad_constant(origin):
        return constant
    infinite = any(math.isinf(v) for o in origin.operands for v in (o.smallest, o.largest) if v is not None)
    if origin.produced == "nan" and infinite and origin.op.startswith(("mul", "mm", "bmm", "addmm", "add", "sub")):
        return "zero-times-inf"
    return _by_name(origin)


def _by_name(origin: Origin) -> str:
    found = _longest(origin.op, _FORWARD) or "exp-overflow"
    if isinstance(found, tuple):
        return found[_below_zero(origin)]
    if found == "zero-div-zero" and not _is_zero(_argument(origin)):
        return "small-denominator"
    return "exp-overflow" if found == "pow-domain" and origin.produced == "inf" and _grows(origin) else found


def _bad_constant(origin: Origin) -> str:
    """The cause where NaN or Inf stands in the user's own code."""
    numbers = [o.smallest for o in origin.operands if o.shape == () and not o.dtype and o.smallest is not None]
    if any(map(math.isnan, numbers)):
        return "nan-input"
    return "inf-input" if any(map(math.isinf, numbers)) and origin.op.startswith(("add", "sub", "mul", "div")) else ""


def backward_cause(evidence: Evidence, index: int, origin: Origin | None) -> str:
    """The cause that the op at `index`, what it had saved, and what chose among its results name."""
    name = evidence.op(index).name
    if name.endswith("Backward"):
        return "custom-backward"
    found = str(_longest(plain_op(name), _BACKWARD) or "exp-overflow")
    if origin is None:
        return found
    if origin.unwanted == 1 and _is_chosen_from(evidence, index):
        return "where-trap"
    if found == "zero-div-zero" and not _is_zero(_argument(origin)):
        return "small-denominator"
    if any(operand.dtype == "float16" for operand in origin.operands) and found == "exp-overflow":
        return "fp16-overflow"
    return found


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
    wanted = _longest(origin.op, _ARGUMENTS)
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
    span = (
        number(operand.smallest, 4)
        if operand.smallest == operand.largest
        else f"from {number(operand.smallest, 4)} to {number(operand.largest or 0.0, 4)}"
    )
    return f"{what} is {at}; overall {span}{kind}" if at else f"{what} is {span}{kind}"


def _longest(name: str, table: Mapping[str, _Cause]) -> _Cause | None:
    key = max((key for key in table if name.startswith(key)), key=len, default=None)
    return None if key is None else table[key]


def _below_zero(origin: Origin) -> bool:
    argument = _argument(origin)
    if argument is None:
        return False
    values = [e.value for e in argument.elements] or [argument.smallest or 0.0]
    return min(values) < 0


def _is_zero(operand: Operand | None) -> bool:
    if operand is None:
        return True
    values = [e.value for e in operand.elements] or [operand.smallest or 0.0]
    return any(value == 0 for value in values)


def _grows(origin: Origin) -> bool:
    argument = _argument(origin)
    return argument is not None and bool(argument.elements) and abs(argument.elements[0].value) > 1


def _is_chosen_from(evidence: Evidence, index: int) -> bool:
    """Whether what the op made went on, element by element, to a choice among values."""
    for _ in range(8):
        senders = evidence.senders.get(index, ())
        if len(senders) != 1:
            return any(plain_op(evidence.op(s).name).startswith(_CHOOSERS) for s in senders)
        index = senders[0]
        name = evidence.op(index).name
        if plain_op(name).startswith(_CHOOSERS):
            return True
        if name.startswith(("Mean", "Sum", "Mm", "Addmm", "Bmm", "Convolution")) and not name.startswith(VIEW_LIKE):
            return False
    return False
