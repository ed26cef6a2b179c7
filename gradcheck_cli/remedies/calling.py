"""What to pass, or where to guard, where the op is not called in the user's line: in a library's code or a script's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from gradcheck_cli.records.ops import NORMALIZATIONS, plain_op
from gradcheck_cli.records.report import Remedy, Trial

_PASSED = {
    "eps": {
        "normalize": "F.normalize(x, dim=-1, eps=1e-6)",
        "cosine_similarity": "F.cosine_similarity(a, b, dim=-1, eps=1e-6)",
        "pairwise_distance": "F.pairwise_distance(a, b, eps=1e-6)",
        "rms_norm": "F.rms_norm(x, shape, weight, eps=1e-6)",
        "gaussian_nll_loss": "F.gaussian_nll_loss(mean, target, var, eps=1e-6)",
        "poisson_nll_loss": "F.poisson_nll_loss(rate, target, log_input=False, eps=1e-8)",
        "clip_grad_norm_": "torch.nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)",
    },
    "clamp": {
        "log_prob": "{x} = {x}.clamp(1e-6, 1 - 1e-6)  # inside its support, before log_prob",
        "cdf": "{x} = {x}.clamp(1e-6, 1 - 1e-6)  # inside its support, before cdf",
        "icdf": "{x} = {x}.clamp(1e-6, 1 - 1e-6)  # before icdf",
        "rsample": "scale = scale.clamp(min=1e-6)  # before the distribution is made",
        "kl_divergence": "scale = scale.clamp(min=1e-6)  # before the distributions are made",
        "binary_cross_entropy": "{x} = {x}.clamp(1e-7, 1 - 1e-7)  # before binary_cross_entropy",
    },
    "variance-floor": {
        "layer_norm": "F.layer_norm(x, shape, weight, bias, eps=1e-5)",
        "group_norm": "F.group_norm(x, groups, weight, bias, eps=1e-5)",
        "batch_norm": "F.batch_norm(x, mean, var, eps=1e-5)",
    },
    "zero-infinity": {"CTCLoss": "nn.CTCLoss(zero_infinity=True)", "ctc_loss": "F.ctc_loss(..., zero_infinity=True)"},
    "finite-min": {"kl_divergence": "logits = logits.masked_fill(mask, -1e4)  # before the distribution is made"},
    "mask-fix": {
        "scaled_dot_product_attention": "attn_mask = attn_mask | ~attn_mask.any(-1, keepdim=True)  # True: attend",
        "MultiheadAttention": "key_padding_mask[key_padding_mask.all(-1)] = False  # no row is masked whole",
    },
}
"""By remedy and function what that takes."""
_INSIDE = {
    "clamp": {
        "log log2 log10 sqrt rsqrt div reciprocal pow lgamma digamma": "{x} = {x}.clamp(min=1e-8)",
        "xlogy log1p logit acos asin atanh erfinv": "{x} = {x}.clamp(1e-6, 1 - 1e-6)",
        "exp expm1 exp2 sinh cosh": "{x} = {x}.clamp(max=20)",
    },
    "eps": {"log log2 log10 sqrt rsqrt div reciprocal pow lgamma digamma": "{x} = {x} + 1e-8"},
    "double-where": {
        "log log2 log10 sqrt rsqrt pow lgamma digamma": "{x} = torch.where({x} > 0, {x}, 1.0)",
        "div reciprocal": "{x} = torch.where({x} != 0, {x}, 1.0)",
    },
}
"""By remedy and op what to do with what goes into a call in which the op runs."""


_SHARES = "{x} = {x}.clamp(1e-7, 1 - 1e-7)"
_NORMALISING = frozenset(plain_op(f"{stem}Backward0") for stem in NORMALIZATIONS)
_BACKWARD = ("grad", "backward")
"""What runs derivatives of ops that stand elsewhere."""


def from_outside(remedy: Remedy, op: str, code: str, *, shares: bool = False, inside: bool = True) -> Remedy | None:
    """The remedy as something to pass, or to do before the user's line calls; None where there is nothing of the kind.

    Args:
        remedy: One that would be written into the line that runs the op.
        op: The op's plain name.
        code: The user's line.
        inside: Whether the line does not call the op itself, which would be guarded there.
        shares: Whether all that went into the op lies between 0 and 1: then its other end may be next.
    """
    calls = list(_calls(code))
    if not calls or any(name in _BACKWARD for name, _ in calls):
        return None
    for name, given in calls:
        if known := _PASSED.get(remedy.id, {}).get(name):
            return replace(remedy, code=known.format(x=given or "x"), trial=Trial(note=_note(op, name)))
    if op in _NORMALISING and remedy.id == "variance-floor":
        return replace(remedy, code="eps=1e-5  # to the normalisation", trial=Trial(note=_note(op, calls[0][0])))
    form = next((form for ops, form in _INSIDE.get(remedy.id, {}).items() if op in ops.split()), "")
    if not form or not inside:
        return None
    form = _SHARES if shares and remedy.id == "clamp" and op.startswith("log") else form
    given = next((each for _, each in calls if each), "x")
    before = f"{form.format(x=given)}  # before {calls[0][0]}()"
    return replace(remedy, code=before, trial=Trial(note=_note(op, calls[0][0])))


def _note(op: str, name: str) -> str:
    return "untried" if name == op else f"untried: {op} runs inside {name}(), and not in a line of yours"


def _calls(code: str) -> Iterator[tuple[str, str]]:
    """The functions that a line calls, the innermost first, each with its first argument if that is a plain name."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for node in sorted(found, key=lambda node: (-node.col_offset, node.end_col_offset or 0)):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        first = node.args[0].id if node.args and isinstance(node.args[0], ast.Name) else ""
        if name:
            yield name, first
