"""What an op and the values that it saw say about why something is not finite."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gradcheck_cli.records.measurement import Operand, Origin
from gradcheck_cli.records.ops import (
    ADDITIVE,
    ATTENTIONS,
    CHOOSERS,
    DECOMPOSITIONS,
    ELEMENTWISE_ARITHMETIC,
    MATRIX_PRODUCTS,
    MEANS_AND_SUMS,
    SPREADS,
    is_custom,
    plain_op,
)
from gradcheck_cli.rules.wording import number

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def _by_op(causes: Mapping[str, Iterable[str]]) -> Mapping[str, str]:
    """Causes by op. Where there are two, parted by "|", the second is for an argument below zero."""
    return {op: cause for cause, ops in causes.items() for op in ops}


_FORWARD = _by_op(
    {
        "log-zero|log-negative": "log log2 log10 log1p logit xlogy special_xlog1py".split(),
        "log-zero": "binary_cross_entropy binary_cross_entropy_with_logits kl_div lgamma digamma".split(),
        "logsumexp-neginf": "logsumexp logcumsumexp logaddexp logaddexp2".split(),
        "masked-softmax-row": {"log_softmax", "softmax", "masked_fill", "where"} | ATTENTIONS,
        "sqrt-zero|log-negative": ["sqrt"],
        "zero-div-zero|log-negative": ["rsqrt"],
        "zero-div-zero": "div addcdiv reciprocal remainder fmod".split(),
        "masked-loss": "nll_loss nll_loss2d cross_entropy".split(),
        "ctc-infeasible": ["ctc_loss"],
        "acos-boundary": "acos acosh asin atanh special_erfinv erfinv".split(),
        "pow-domain": ["pow"],
        "zero-variance": SPREADS | {"batch_norm", "batch_norm_legit", "batch_norm_legit_no_training"},
        "degenerate-eigenvalues": DECOMPOSITIONS,
        "large-init": "mm bmm addmm baddbmm mv dot convolution convolution_overrideable linear".split(),
    }
)
_BACKWARD = _by_op(
    {
        "sqrt-zero": "sqrt rsqrt norm linalg_vector_norm cdist euclidean_dist hypot".split(),
        "zero-variance": SPREADS,
        "pow-domain": ["pow"],
        "acos-boundary": "acos acosh asin atanh erfinv".split(),
        "log-zero": "log log2 log10 log1p logit xlogy kl_div binary_cross_entropy binary_cross_entropy_with_logits "
        "lgamma".split(),
        "logsumexp-neginf": "logsumexp logcumsumexp logaddexp logaddexp2".split(),
        "masked-softmax-row": {"log_softmax", "softmax"} | ATTENTIONS,
        "exp-overflow": "exp exp2 expm1 sinh cosh".split(),
        "zero-div-zero": "div addcdiv reciprocal atan2".split(),
        "zero-times-inf": ["mul"],
        "where-trap": ["where"],
        "degenerate-eigenvalues": DECOMPOSITIONS,
        "ctc-infeasible": ["ctc_loss"],
        "masked-loss": "nll_loss nll_loss2d".split(),
    }
)
_ARGUMENTS = {
    "div": "other",
    "reciprocal": "self",
    "addcdiv": "tensor2",
    "nll_loss": "target",
    "nll_loss2d": "target",
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
    if origin.produced == "nan" and infinite and origin.op in ADDITIVE:
        return "zero-times-inf"
    return _by_name(origin)


def _by_name(origin: Origin) -> str:
    found, _, below_zero = _FORWARD.get(origin.op, "exp-overflow").partition("|")
    if below_zero:
        return below_zero if _below_zero(origin) else found
    if found == "zero-div-zero" and not _is_zero(_argument(origin)):
        return "small-denominator"
    return "exp-overflow" if found == "pow-domain" and origin.produced == "inf" and _grows(origin) else found


def _bad_constant(origin: Origin) -> str:
    """The cause where NaN or Inf stands in the user's own code."""
    numbers = [o.smallest for o in origin.operands if o.shape == () and not o.dtype and o.smallest is not None]
    if any(map(math.isnan, numbers)):
        return "nan-input"
    return "inf-input" if any(map(math.isinf, numbers)) and origin.op in ELEMENTWISE_ARITHMETIC else ""


def backward_cause(evidence: Evidence, index: int, origin: Origin | None) -> str:
    """The cause that the op at `index`, what it had saved, and what chose among its results name."""
    name = evidence.graph.op(index).name
    if is_custom(name):
        return "custom-backward"
    found = _BACKWARD.get(plain_op(name), "exp-overflow")
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
    wanted = _ARGUMENTS.get(origin.op)
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
